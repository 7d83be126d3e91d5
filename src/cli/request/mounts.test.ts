import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binds, ownVolumes, parseMount } from './mounts.ts'

test('parseMount() reads each type with its options', () => {
  const read = (text: string): object => parseMount(text, '/here')
  assert.deepEqual(read('type=bind,src=./a,dst=/x,ro,bind-propagation=rslave,bind-recursive=disabled'), {
    Type: 'bind',
    Source: '/here/a',
    Target: '/x',
    ReadOnly: true,
    BindOptions: { Propagation: 'rslave', NonRecursive: true },
  })
  assert.deepEqual(
    read(
      'source=v,target=/x,volume-nocopy,volume-subpath=a/b,volume-label=l=1,volume-opt=type=tmpfs,"volume-opt=o=a,b"',
    ),
    {
      Type: 'volume',
      Source: 'v',
      Target: '/x',
      VolumeOptions: {
        Subpath: 'a/b',
        NoCopy: true,
        Labels: { l: '1' },
        DriverConfig: { Options: { type: 'tmpfs', o: 'a,b' } },
      },
    },
  )
  assert.deepEqual(read('type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1777'), {
    Type: 'tmpfs',
    Target: '/t',
    TmpfsOptions: { SizeBytes: 1_048_576, Mode: 0o1777 },
  })
  assert.deepEqual(read('type=image,src=busybox,dst=/i,image-subpath=bin'), {
    Type: 'image',
    Source: 'busybox',
    Target: '/i',
    ImageOptions: { Subpath: 'bin' },
  })
})

for (const [text, why] of [
  ['', 'EOF'],
  ['type=bind', 'target is required'],
  ['type=bind,src=/a,dst=/x,nosuch', "invalid field 'nosuch' must be a key=value pair"],
  ['type=bind,src=/a,dst=/x,nosuch=1', "unexpected key 'nosuch' in 'nosuch=1'"],
  ['type=bind,src=/a,dst=/x,volume-nocopy', "cannot mix 'volume-*' options with mount type 'bind'"],
  ['type=volume,dst=/x,tmpfs-mode=1', "cannot mix 'tmpfs-*' options with mount type 'volume'"],
  [
    'type=bind,src=/a,dst=/x,bind-recursive=readonly',
    "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction",
  ],
  [
    'type=bind,src=/a,dst=/x,bind-recursive=readonly,ro',
    "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
  ],
  [
    'type=bind,src=/a,dst=/x,bind-recursive=no',
    'invalid value for bind-recursive: no (must be "enabled", "disabled", "writable", or "readonly")',
  ],
  ['type=tmpfs,dst=/x,tmpfs-size=1x', 'invalid value for tmpfs-size: 1x'],
  ['type=tmpfs,dst=/x,tmpfs-mode=9', 'invalid value for tmpfs-mode: 9'],
  ['type=tmpfs,dst=/x,readonly=maybe', 'invalid value for readonly: maybe'],
] as const) {
  test(`parseMount() refuses «${text}» in the words of Docker`, () => {
    const message = `invalid argument "${text}" for "--mount" flag: ${why}`
    assert.throws(() => parseMount(text, '/here'), { message })
  })
}

test('binds() and ownVolumes() part what has a source from what has none', () => {
  const flags = ['/own', 'name:/x', './here:/y:ro', 'name:/x']
  assert.deepEqual([binds(flags, '/cwd'), ownVolumes(flags)], [['name:/x', '/cwd/here:/y:ro'], ['/own']])
  assert.throws(() => binds([''], '/'), { message: 'invalid empty volume spec' })
  assert.throws(() => binds([':/x'], '/'), { message: 'invalid spec: :/x: empty section between colons' })
})
