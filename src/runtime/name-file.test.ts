import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withMountPoints } from './mount-point.ts'
import { parseAnswer } from './monitor.ts'
import { hostsText, resolverText } from './name-file.ts'

test('hostsText() names the container at its addresses', () => {
  const text = hostsText({ hostname: 'box', domainname: 'lan', addresses: ['10.0.0.2'] })
  assert.match(text, /^127\.0\.0\.1\tlocalhost\n/)
  assert.match(text, /^10\.0\.0\.2\tbox\.lan box\n$/m)
})

for (const [what, host, own, expected] of [
  ['keeps reachable servers', 'search x\nnameserver 10.0.0.1\n', false, 'search x\nnameserver 10.0.0.1\n'],
  [
    'takes the resolver of the host itself away',
    'nameserver 127.0.0.53\nnameserver 9.9.9.9\n',
    false,
    'nameserver 9.9.9.9\n',
  ],
  ['has servers where none is left', 'nameserver ::1\n', false, 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n'],
  ["is the host's own in its network", 'nameserver 127.0.0.53\n', true, 'nameserver 127.0.0.53\n'],
] as const)
  test(`resolverText() ${what}`, () => assert.equal(resolverText(host, own), expected))

test('withMountPoints() puts the places below the lowest layer', () => {
  const overlay = {
    type: 'overlay',
    source: 'overlay',
    options: ['lowerdir+=/a', 'lowerdir+=/b', 'upperdir=/u', 'workdir=/w'],
  }
  assert.deepEqual(withMountPoints([overlay], '/points')[0]?.options, [
    'lowerdir+=/a',
    'lowerdir+=/b',
    'lowerdir+=/points',
    'upperdir=/u',
    'workdir=/w',
  ])
})

test('withMountPoints() makes an overlay of a root without layers', () => {
  const [mount] = withMountPoints([{ type: 'bind', source: '/s/1/fs', options: ['bind', 'rw'] }], '/points')
  assert.equal(mount?.type, 'overlay')
  assert.deepEqual(mount.options.slice(0, 3), ['lowerdir+=/points', 'upperdir=/s/1/fs', 'workdir=/s/1/work'])
})

for (const [text, expected] of [
  ['{"data": 12}\n', { pid: 12 }],
  ['{"data": -1, "message": "no\\n"}\n', { failure: 'no' }],
  ['{"data": -1}', { failure: 'the runtime ended with -1' }],
  ['', undefined],
  ['[]', undefined],
] as const)
  test(`parseAnswer() of ${JSON.stringify(text)}`, () => assert.deepEqual(parseAnswer(text), expected))
