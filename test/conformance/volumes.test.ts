import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

ownMountNamespace()

/** Another engine's socket, to see what it answers to the same lines; its busybox may have another tag. */
const AGAINST = process.env['MICA_TEST_AGAINST']
const IMAGE = process.env['MICA_TEST_AGAINST_IMAGE'] ?? 'busybox'

const DOCKERFILE = `FROM ${IMAGE}
RUN mkdir -p /srv/data/sub && echo seeded >/srv/data/file && chown -R 33:44 /srv/data && chmod 750 /srv/data
VOLUME ["/srv/data", "/srv/empty"]
`

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon | undefined
let docker: Docker

before(async () => {
  if (AGAINST === undefined) daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(AGAINST ?? daemon?.host ?? '')
  mkdirSync(folder.join('context'))
  writeFileSync(folder.join('context/Dockerfile'), DOCKERFILE)
  await docker.ok('build', '-q', '-t', 'volume-test', folder.join('context'))
})

after(async () => {
  await docker.run(['rmi', '-f', 'volume-test'])
  docker[Symbol.dispose]()
  await daemon?.[Symbol.asyncDispose]()
  if (daemon) await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

const busybox = (...args: readonly string[]): Promise<string> => docker.ok('run', '--rm', ...args)

async function refusal(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await docker.run(args)
  assert.notEqual(code, 0)
  return stderr.trim()
}

test('volume create, ls, inspect and rm speak as Docker does', async () => {
  assert.equal(await docker.ok('volume', 'create', '--label', 'a=b', 'vtest-one'), 'vtest-one')
  assert.equal(await docker.ok('volume', 'create', 'vtest-one'), 'vtest-one')
  assert.equal(await docker.ok('volume', 'ls', '-q', '--filter', 'name=vtest'), 'vtest-one')
  assert.equal(await docker.ok('volume', 'ls', '-q', '--filter', 'label=a=b'), 'vtest-one')
  assert.equal(await docker.ok('volume', 'ls', '-q', '--filter', 'label=a=c'), '')
  const [facts] = JSON.parse(await docker.ok('volume', 'inspect', 'vtest-one'))
  assert.deepEqual(
    { ...facts, CreatedAt: '', Mountpoint: '' },
    {
      CreatedAt: '',
      Driver: 'local',
      Labels: { a: 'b' },
      Mountpoint: '',
      Name: 'vtest-one',
      Options: null,
      Scope: 'local',
    },
  )
  assert.match(facts.Mountpoint, /\/volumes\/vtest-one\/_data$/)
  assert.equal(await docker.ok('volume', 'rm', 'vtest-one'), 'vtest-one')
  assert.match(await refusal('volume', 'rm', 'vtest-one'), /get vtest-one: no such volume|No such volume: vtest-one/)
  assert.equal(await docker.ok('volume', 'rm', '-f', 'vtest-one'), 'vtest-one')
  assert.match(await refusal('volume', 'inspect', 'vtest-one'), /no such volume/i)
  assert.match(await refusal('volume', 'create', 'x'), /create x: volume name is too short/)
  assert.match(await refusal('volume', 'create', 'a/b'), /"a\/b" includes invalid characters for a local volume name/)
})

test('what one container writes into a named volume the next one reads', async () => {
  await busybox('-v', 'vtest-shared:/x', IMAGE, 'sh', '-c', 'echo kept >/x/f')
  assert.equal(await busybox('-v', 'vtest-shared:/y:ro', IMAGE, 'cat', '/y/f'), 'kept')
  const { code, stderr } = await docker.run(['run', '--rm', '-v', 'vtest-shared:/y:ro', IMAGE, 'touch', '/y/g'])
  assert.equal(code, 1)
  assert.match(stderr, /Read-only file system/)
  await docker.ok('volume', 'rm', 'vtest-shared')
})

test('a volume in use is not removed; the refusal names the container', async () => {
  const id = await docker.ok('create', '-v', 'vtest-used:/x', IMAGE, 'true')
  const text = `remove vtest-used: volume is in use - [${id}]`
  assert.ok((await refusal('volume', 'rm', 'vtest-used')).includes(text))
  assert.ok((await refusal('volume', 'rm', '-f', 'vtest-used')).includes(text))
  assert.equal(await docker.ok('volume', 'ls', '-q', '--filter', 'dangling=true', '--filter', 'name=vtest-used'), '')
  await docker.ok('rm', id)
  assert.equal(
    await docker.ok('volume', 'ls', '-q', '--filter', 'dangling=true', '--filter', 'name=vtest-used'),
    'vtest-used',
  )
  await docker.ok('volume', 'rm', 'vtest-used')
})

test('VOLUME makes anonymous volumes that have the files of the image; rm -v takes them', async () => {
  const id = await docker.ok('run', '-d', 'volume-test', 'sleep', '99')
  const mounts: readonly { Type: string; Name: string; Destination: string }[] = JSON.parse(
    await docker.ok('inspect', '-f', '{{json .Mounts}}', id),
  )
  assert.deepEqual(mounts.map((mount) => `${mount.Type} ${mount.Destination}`).sort(), [
    'volume /srv/data',
    'volume /srv/empty',
  ])
  assert.equal(await docker.ok('exec', id, 'cat', '/srv/data/file'), 'seeded')
  assert.equal(await docker.ok('exec', id, 'stat', '-c', '%u:%g %a', '/srv/data'), '33:44 750')
  assert.equal(await docker.ok('exec', id, 'stat', '-c', '%u:%g', '/srv/data/sub'), '33:44')
  for (const { Name } of mounts) {
    assert.match(Name, /^[0-9a-f]{64}$/)
    assert.match(await docker.ok('volume', 'inspect', '-f', '{{json .Labels}}', Name), /com\.docker\.volume\.anonymous/)
  }
  await docker.ok('rm', '-f', '-v', id)
  for (const { Name } of mounts) assert.match(await refusal('volume', 'inspect', Name), /no such volume/i)
})

test('--rm takes anonymous volumes and leaves named ones', async () => {
  const before = await docker.ok('volume', 'ls', '-q')
  assert.equal(await busybox('-v', 'vtest-named:/srv/data', 'volume-test', 'cat', '/srv/data/file'), 'seeded')
  const now = (await docker.ok('volume', 'ls', '-q')).split('\n')
  assert.deepEqual(
    now.filter((name) => !before.split('\n').includes(name)),
    ['vtest-named'],
  )
  await docker.ok('volume', 'rm', 'vtest-named')
})

test('a volume that holds something is left alone, and nocopy leaves an empty one empty', async () => {
  await busybox('-v', 'vtest-full:/x', IMAGE, 'touch', '/x/mine')
  assert.equal(await busybox('-v', 'vtest-full:/srv/data', 'volume-test', 'ls', '/srv/data'), 'mine')
  assert.equal(await busybox('-v', 'vtest-none:/srv/data:nocopy', 'volume-test', 'ls', '/srv/data'), '')
  await docker.ok('volume', 'rm', 'vtest-full', 'vtest-none')
})

test(
  'volume prune takes unused anonymous volumes, with -a the named ones',
  { skip: AGAINST !== undefined },
  async () => {
    const anonymous = await docker.ok('volume', 'create')
    await docker.ok('volume', 'create', 'vtest-named')
    await docker.ok('volume', 'create', '--label', 'keep=yes', 'vtest-kept')
    const [, minor = 0] = (await docker.ok('version', '--format', '{{.Client.APIVersion}}')).split('.').map(Number)
    if (minor >= 42) {
      assert.match(
        await docker.ok('volume', 'prune', '-f'),
        new RegExp(`Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: `),
      )
      assert.match(
        await docker.ok('volume', 'prune', '-af', '--filter', 'label!=keep'),
        /Deleted Volumes:\nvtest-named\n/,
      )
    } else {
      // Before API 1.42 a prune means named ones too.
      const pruned = await docker.ok('volume', 'prune', '-f', '--filter', 'label!=keep')
      assert.deepEqual(pruned.split('\n').slice(1, 3).sort(), [anonymous, 'vtest-named'].sort())
    }
    assert.equal(await docker.ok('volume', 'ls', '-q'), 'vtest-kept')
    await docker.ok('volume', 'rm', 'vtest-kept')
  },
)

test('a volume and what it holds outlive the daemon, however it ends', { skip: AGAINST !== undefined }, async () => {
  await busybox('-v', 'vtest-kept:/x', IMAGE, 'sh', '-c', 'echo kept >/x/f')
  const id = await docker.ok('create', '-v', 'vtest-kept:/x', IMAGE, 'true')
  await daemon?.restart()
  await daemon?.kill9()
  await daemon?.restart()
  assert.equal(await busybox('-v', 'vtest-kept:/x', IMAGE, 'cat', '/x/f'), 'kept')
  assert.match(await refusal('volume', 'rm', 'vtest-kept'), /volume is in use/)
  await docker.ok('rm', id)
  await docker.ok('volume', 'rm', 'vtest-kept')
})

test(
  'rm -v that the end of the daemon cuts off leaves no volume without a name',
  { skip: AGAINST !== undefined },
  async () => {
    const before = await docker.ok('volume', 'ls', '-q')
    for (let round = 0; round < 5; round += 1) {
      const id = await docker.ok('create', '-v', '/one', '-v', '/two', IMAGE, 'true')
      const removal = docker.run(['rm', '-v', id])
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60))
      await daemon?.kill9()
      await removal
      await daemon?.restart()
      await docker.run(['rm', '-v', id])
      assert.equal(await docker.ok('volume', 'ls', '-q'), before)
    }
  },
)
