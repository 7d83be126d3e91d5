import type { Docker } from '#test/docker'
import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

ownMountNamespace()

const FIRST_NOTE = `FROM busybox:latest
MAINTAINER Oskar Hane <oh@oskarhane.com>
RUN mkdir /var/lib/mysql && mkdir /var/www/html
VOLUME ["/var/lib/mysql", "/var/www/html"]
`

const THIRD_NOTE = `FROM debian:latest

RUN apt update && apt install iputils-ping -y

CMD ["ping", "-c 3", "8.8.8.8"]
`

/** Long enough for apt on a slow line. Milliseconds. */
const APT = 600_000

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let clients: readonly { readonly name: string; readonly client: Docker }[]

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  clients = [
    { name: 'docker', client: dockerClient(daemon.host) },
    { name: 'mica', client: micaClient(daemon.host) },
  ]
  for (const [name, text] of Object.entries({ first: FIRST_NOTE, third: THIRD_NOTE })) {
    mkdirSync(folder.join(name))
    writeFileSync(folder.join(name, 'Dockerfile'), text)
  }
})

after(async () => {
  for (const { client } of clients) client[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

async function layersOf(client: Docker, image: string): Promise<readonly string[]> {
  const [facts] = JSON.parse(await client.ok('inspect', image))
  return facts.RootFS.Layers
}

/** The daemon's own children that were ever started for a step: each makes a bundle; counted by the kernel's fork counter. */
function stepsRun(text: string): number {
  return text.split('\n').filter((line) => /Running in/.test(line)).length
}

test("the first note's Dockerfile builds as it stands, with both clients", async () => {
  for (const { name, client } of clients) {
    const tag = `data-test-${name}`
    const { code, stdout, stderr } = await client.run(['build', '-t', tag, '.'], { cwd: folder.join('first') })
    assert.equal(code, 0, stdout + stderr)
    const [image] = JSON.parse(await client.ok('inspect', tag))
    assert.equal(image.Author, 'Oskar Hane <oh@oskarhane.com>')
    assert.deepEqual(image.Config.Volumes, { '/var/lib/mysql': {}, '/var/www/html': {} })
    const base = await layersOf(client, 'busybox:latest')
    assert.deepEqual((await layersOf(client, tag)).slice(0, -1), base, 'one layer more than the base')
    const history = await client.ok('history', '--no-trunc', tag)
    assert.match(history, /MAINTAINER Oskar Hane.*0B/)
  }
})

test('a build without a context takes the current folder', async () => {
  const [, mica] = clients
  const { code, stdout, stderr } = await mica!.client.run(['build', '-t', 'data-test'], { cwd: folder.join('first') })
  assert.equal(code, 0, stdout + stderr)
  assert.match(await mica!.client.ok('images'), /data-test/)
})

test(
  "the third note's Dockerfile builds with the network, once; then all of it comes from the cache",
  { timeout: APT },
  async () => {
    for (const { name, client } of clients) {
      const tag = `my_image_${name}`
      const line = { cwd: folder.join('third'), timeout: APT }
      const first = await client.run(['image', 'build', '-t', tag, '.'], line)
      assert.equal(first.code, 0, first.stdout + first.stderr)
      const [image] = JSON.parse(await client.ok('inspect', tag))
      assert.deepEqual(image.Config.Cmd, ['ping', '-c 3', '8.8.8.8'])
      const base = await layersOf(client, 'debian:latest')
      assert.equal(image.RootFS.Layers.length, base.length + 1)
      const history = await client.ok('image', 'history', '--no-trunc', tag)
      assert.match(history, /CMD \["ping" "-c 3" "8\.8\.8\.8"\].*0B/)
      assert.equal(await client.ok('image', 'history', '-q', tag), await client.ok('history', '-q', tag))
      const again = await client.run(['image', 'build', '-t', tag, '.'], line)
      assert.equal(again.code, 0, again.stdout + again.stderr)
      assert.equal(stepsRun(again.stdout), 0, again.stdout)
      const [same] = JSON.parse(await client.ok('inspect', tag))
      assert.equal(same.Id, image.Id)
    }
  },
)

test('another image with the same first lines takes them from the cache', async () => {
  mkdirSync(folder.join('other'))
  writeFileSync(folder.join('other', 'Dockerfile'), `${THIRD_NOTE.trimEnd()}\nLABEL other=yes\n`)
  for (const { name, client } of clients) {
    const { code, stdout, stderr } = await client.run(['build', '-t', `other-${name}`, '.'], {
      cwd: folder.join('other'),
    })
    assert.equal(code, 0, stdout + stderr)
    assert.equal((await layersOf(client, `other-${name}`)).join(), (await layersOf(client, `my_image_${name}`)).join())
  }
})

test(
  'the commit walk-through: git goes into a container of debian, the container becomes an image',
  { timeout: APT },
  async () => {
    const { client } = clients[0]!
    const script = 'apt-get update && apt-get install -y --no-install-recommends git'
    const run = await client.run(['run', '--name', 'walk', 'debian:latest', 'sh', '-c', script], { timeout: APT })
    assert.equal(run.code, 0, run.stdout + run.stderr)
    const changes = (await client.ok('diff', 'walk')).split('\n')
    assert.ok(changes.includes('A /usr/bin/git'), changes.slice(0, 50).join('\n'))
    const runtimes = changes.filter((line) =>
      /^. \/(dev|proc|sys|\.dockerenv|etc\/(hosts|hostname|resolv\.conf))(\/|$)/.test(line),
    )
    assert.deepEqual(runtimes, [], 'nothing of the runtime itself')
    assert.match(await client.ok('commit', 'walk', 'me/debian:1.00'), /^sha256:[0-9a-f]{64}$/)
    assert.match(await client.ok('run', '--rm', 'me/debian:1.00', 'git', '--version'), /^git version /)
    assert.equal(
      (await layersOf(client, 'me/debian:1.00')).length,
      (await layersOf(client, 'debian:latest')).length + 1,
    )
    await client.ok('rm', 'walk')
  },
)
