import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker
let mica: Docker

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  mica = micaClient(daemon.host)
  await mica.ok('pull', '-q', 'busybox')
})

after(async () => {
  await daemon.stop({ all: true })
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** What both clients answer alike, but for their names. */
async function assertSame(...words: readonly string[]): Promise<void> {
  const [own, other] = [await mica.run(words), await docker.run(words)]
  assert.deepEqual([own.code, own.stdout], [other.code, other.stdout], words.join(' '))
}

/** The same for a JSON object: its keys in any order, and only those that an older client knows. */
async function assertSameObject(...words: readonly string[]): Promise<void> {
  const [own, other] = [JSON.parse(await mica.ok(...words)), JSON.parse(await docker.ok(...words))]
  const known = Object.keys(other).filter((key) => key !== 'Networks')
  assert.ok(known.length > 5)
  for (const key of known) assert.deepEqual(own[key], other[key], key)
  assert.deepEqual(Object.keys(own.Networks), Object.keys(other.Networks))
}

async function refusal(...words: readonly string[]): Promise<string> {
  const { code, stderr } = await mica.run(words)
  assert.notEqual(code, 0, words.join(' '))
  return stderr
}

test('mica makes, joins, leaves and removes networks as docker does', async () => {
  const made = await mica.ok('network', 'create', '--subnet', '10.79.0.0/24', '--label', 'a=b', 'nets-one')
  assert.match(made, /^[0-9a-f]{64}$/)
  await mica.ok('network', 'create', 'nets-two')
  for (const words of [
    ['network', 'ls', '--filter', 'name=nets-', '--format', '{{.Name}} {{.Driver}} {{.IPv6}} {{.Labels}}'],
    ['network', 'ls', '-q', '--filter', 'label=a=b'],
    ['network', 'inspect', 'nets-one', '--format', '{{json .IPAM.Config}} {{.Internal}}'],
    ['network', 'inspect', 'nets-nosuch'],
  ])
    await assertSame(...words)
  await mica.ok(
    ...'run -d --name nets-box --network name=nets-one,ip=10.79.0.40,alias=front'.split(' '),
    ...'-p 127.0.0.1::80 busybox sleep 1000'.split(' '),
  )
  assert.equal(await mica.ok('exec', 'nets-box', 'sh', '-c', 'ip -4 -o addr show eth0 | grep -c 10.79.0.40'), '1')
  assert.match(await mica.ok('port', 'nets-box', '80'), /^127\.0\.0\.1:\d+$/)
  for (const words of [
    ['port', 'nets-box'],
    ['port', 'nets-box', '80/tcp'],
    ['port', 'nets-box', '81'],
    ['ps', '--filter', 'network=nets-one', '--format', '{{.Names}} {{.Networks}} {{.Ports}}'],
  ])
    await assertSame(...words)
  await assertSameObject('inspect', 'nets-box', '--format', '{{json .NetworkSettings}}')
  await mica.ok('network', 'connect', '--alias', 'back', 'nets-two', 'nets-box')
  assert.equal(await mica.ok('exec', 'nets-box', 'ls', '/sys/class/net'), 'eth0\neth1\nlo')
  assert.match(await refusal('network', 'rm', 'nets-two'), /network nets-two has active endpoints/)
  await mica.ok('network', 'disconnect', 'nets-two', 'nets-box')
  await mica.ok('rm', '-f', 'nets-box')
  assert.equal(await mica.ok('network', 'rm', 'nets-one'), 'nets-one')
  assert.match(await mica.ok('network', 'prune', '-f'), /nets-two/)
})

test('the typographic dash of a copied command line is named with its cure', async () => {
  const line = ['run', '--name', 'nets-wordpress', '--link', 'nets-mysql:mysql']
  for (const [dash, named] of [
    ['–p', '"–p" begins with an en dash (U+2013), not with a hyphen: type -p;'],
    ['â€“p', '"â€“p" begins with a dash that was decoded wrongly (U+00E2), not with a hyphen: type -p;'],
  ] as const) {
    const { code, stderr } = await mica.run([...line, dash, '80', '-d', 'wordpress'])
    assert.equal(code, 125)
    assert.ok(stderr.startsWith(named), stderr)
  }
})

test('mica links containers, and lets a link go', async () => {
  await mica.ok('run', '-d', '--name', 'nets-db', '-e', 'KEY=x', '--expose', '3306', 'busybox', 'sleep', '1000')
  const web = await mica.ok('run', '--rm', '--link', 'nets-db:db', 'busybox', 'sh', '-c', 'echo $DB_ENV_KEY $DB_PORT')
  assert.match(web, /^x tcp:\/\/[\d.]+:3306$/)
  await mica.ok('create', '--name', 'nets-web', '--link', 'nets-db:db', 'busybox', 'true')
  assert.equal(await mica.ok('rm', '-l', 'nets-web/db'), 'nets-web/db')
  assert.equal(await mica.ok('inspect', 'nets-web', '--format', '{{json .HostConfig.Links}}'), 'null')
  await mica.ok('rm', '-f', 'nets-web', 'nets-db')
})

test('mica mounts volumes, their parts, images, and the volumes of others', async () => {
  await mica.ok(...'volume create -o type=tmpfs -o device=tmpfs -o o=size=1m --label a=b nets-ram'.split(' '))
  const busybox = (...words: readonly string[]): Promise<string> => mica.ok('run', '--rm', ...words)
  assert.match(await busybox('-v', 'nets-ram:/x', 'busybox', 'df', '-k', '/x'), /tmpfs +1024 /)
  await busybox('-v', 'nets-data:/x', 'busybox', 'sh', '-c', 'mkdir -p /x/a; echo 1 >/x/a/f')
  const subpath = 'type=volume,src=nets-data,dst=/d,volume-subpath=a,readonly'
  assert.equal(await busybox('--mount', subpath, 'busybox', 'sh', '-c', 'cat /d/f; touch /d/g 2>&1 | wc -l'), '1\n1')
  assert.equal(await busybox('--mount', 'type=image,src=busybox,dst=/i', 'busybox', 'ls', '-d', '/i/bin'), '/i/bin')
  await mica.ok('create', '--name', 'nets-lender', '-v', 'nets-data:/d:ro', 'busybox', 'true')
  assert.equal(await busybox('--volumes-from', 'nets-lender', 'busybox', 'cat', '/d/a/f'), '1')
  await mica.ok('rm', 'nets-lender')
  await assertSame('volume', 'inspect', 'nets-ram')
  await mica.ok('volume', 'rm', 'nets-ram', 'nets-data')
})
