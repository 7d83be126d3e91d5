import { makeNode } from '#kernel'
import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { isSoak } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  constants,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
  makeSource(folder.join('src'))
})

after(async () => {
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function makeSource(source: string): void {
  mkdirSync(`${source}/sub`, { recursive: true })
  writeFileSync(`${source}/a`, 'a\n')
  chownSync(`${source}/a`, 1234, 77)
  chmodSync(`${source}/a`, 0o4755)
  linkSync(`${source}/a`, `${source}/hard`)
  symlinkSync('a', `${source}/link`)
  symlinkSync('/a/b/../../../../etc/passwd', `${source}/out`)
  writeFileSync(`${source}/sub/ä b`, 'b\n')
  makeNode(`${source}/fifo`, constants.S_IFIFO | 0o644, 0)
}

const run = (...args: readonly string[]): Promise<string> => docker.ok('run', '-d', ...args)

test('a tree comes back as it went in, of a container that does not run and of one that does', async () => {
  const id = await docker.ok('create', 'busybox', 'sleep', '100')
  for (const place of ['/stopped', '/running']) {
    await docker.ok('cp', folder.join('src'), `${id}:${place}`)
    const { text } = await send('GET', `/v1.51/containers/${id}/archive?path=${place}`)
    writeFileSync(folder.join('back.tar'), text, 'latin1')
    const list = execFileSync('tar', ['--numeric-owner', '-tvf', folder.join('back.tar')], { encoding: 'utf8' })
    const name = place.slice(1)
    assert.match(list, new RegExp(`-rwsr-xr-x 1234/77 .* ${name}/a$`, 'm'))
    assert.match(list, new RegExp(`^h.* ${name}/hard link to ${name}/a$`, 'm'))
    assert.match(list, new RegExp(`^p.* ${name}/fifo$`, 'm'))
    await docker.ok('cp', `${id}:${place}/sub/.`, folder.join(`out-${name}`))
    assert.deepEqual(readdirSync(folder.join(`out-${name}`)), ['ä b'])
    await docker.ok('start', id)
  }
  assert.equal(await docker.ok('exec', id, 'cat', '/running/link', '/stopped/sub/ä b'), 'a\nb')
  const diff = await docker.ok('diff', id)
  assert.match(diff, /^A \/stopped\/sub\/ä b$/m)
  await docker.ok('rm', '-f', id)
})

test('what the container sees through volumes and binds is copied; read-only ones refuse, in docker’s words', async () => {
  mkdirSync(folder.join('host'))
  const bind = folder.join('host')
  const id = await run(
    '--read-only',
    '-v',
    `${bind}:/bind`,
    '-v',
    `${bind}:/ro:ro`,
    '-v',
    'vol:/vol',
    'busybox',
    'sleep',
    '100',
  )
  await docker.ok('cp', folder.join('src/sub/ä b'), `${id}:/bind/new`)
  assert.equal(readFileSync(`${bind}/new`, 'utf8'), 'b\n')
  await docker.ok('cp', folder.join('src/sub'), `${id}:/vol/`)
  assert.equal(await docker.ok('exec', id, 'cat', '/vol/sub/ä b'), 'b')
  const refused = async (to: string): Promise<string> => (await docker.run(['cp', `${bind}/new`, `${id}:${to}`])).stderr
  assert.equal(await refused('/ro/x'), 'Error response from daemon: mounted volume is marked read-only\n')
  assert.equal(await refused('/x'), 'Error response from daemon: container rootfs is marked read-only\n')
  await docker.ok('rm', '-f', id)
  await docker.ok('volume', 'rm', 'vol')
})

test('-a gives the files to the user of the container, -L follows the link', async () => {
  const id = await docker.ok('create', '-u', 'daemon', 'busybox', 'true')
  await docker.ok('cp', '-a', folder.join('src/a'), `${id}:/owned`)
  await docker.ok('cp', '-L', folder.join('src/link'), `${id}:/followed`)
  await docker.ok('cp', folder.join('src/link'), `${id}:/link`)
  await docker.ok('cp', `${id}:/link`, folder.join('as-link'))
  await docker.ok('cp', `${id}:/followed`, folder.join('as-file'))
  assert.equal(readlinkSync(folder.join('as-link')), 'a')
  assert.equal(statSync(folder.join('as-file')).mode & 0o7777, 0o4755)
  const { stdout } = await docker.run(['cp', `${id}:/owned`, '-'])
  assert.equal(Number.parseInt(stdout.slice(108, 115), 8), 1)
  await docker.ok('rm', id)
})

test('mica’s own cp answers as docker’s does', async () => {
  const id = await docker.ok('create', '--name', 'words', 'busybox', 'true')
  using mica = micaClient(daemon.host)
  // The words are those of clients from 23 on (API 1.42): older ones have their own for what is not there.
  const [, minor = 0] = (await docker.ok('version', '--format', '{{.Client.APIVersion}}')).split('.').map(Number)
  const source = folder.join('src')
  const lines = [
    [`${source}/a`, 'words:/tmp/one'],
    [`${source}/.`, 'words:/tmp/two'],
    [source, 'words:/etc/passwd'],
    [`${source}/a`, 'words:/no/where'],
    [`${source}/a`, 'words:/new/'],
    ['words:/tmp/two/link', folder.join('three')],
    ['-L', 'words:/tmp/two/link', folder.join('four')],
    ['words:/nope', source],
    ['words:/etc/passwd', folder.join('no/x')],
    ['words:/etc/passwd/', folder.join('x')],
    ['words:/a', 'words:/b'],
    ['/a', '/b'],
    ['nobody:/a', '.'],
  ]
  for (const line of lines) {
    const [theirs, ours] = [await docker.run(['cp', ...line]), await mica.run(['cp', ...line])]
    const said = ({ code, stderr }: typeof ours) => [code, minor < 42 ? '' : stderr.replaceAll(/^time=.*\n/gm, '')]
    assert.deepEqual(said(ours), said(theirs), line.join(' '))
  }
  await docker.ok('rm', id)
})

test('a process that swaps folders for links never makes a copy leave the root', async () => {
  const outside = folder.join('outside')
  mkdirSync(outside)
  writeFileSync(`${outside}/secret`, 'host')
  const swap = `mkdir /real /real/x; echo inside >/real/secret; cd /; while true; do
    ln -s /../../../../../..${outside} s; rm s; mkdir s; mkdir s/x; echo inside >s/secret; mv s t; ln -s ../../../../../../../../..${outside} s; rm -rf t s; done`
  const id = await run('busybox', 'sh', '-c', swap)
  execFileSync('tar', ['-C', folder.join('src'), '-cf', folder.join('in.tar'), 'a', 'sub', 'link'])
  const tar = readFileSync(folder.join('in.tar'))
  const end = Date.now() + (isSoak() ? 600_000 : 4000)
  const seen = new Set<number>()
  while (Date.now() < end) {
    const path = `/v1.51/containers/${id}/archive?path=`
    seen.add((await send('PUT', `${path}/s`, tar)).status)
    seen.add((await send('PUT', `${path}/s/x`, tar)).status)
    const read = [
      await send('GET', `${path}/s/secret`),
      await send('GET', `${path}/s/`),
      await send('GET', `${path}/s`),
    ]
    for (const { text } of read) assert.doesNotMatch(text, /host/)
  }
  assert.ok(seen.has(200) && seen.has(404), [...seen].join(' '))
  assert.deepEqual(readdirSync(outside), ['secret'])
  assert.equal(readFileSync(`${outside}/secret`, 'utf8'), 'host')
  await docker.ok('rm', '-f', id)
})

test('archives that would leave, replace or break are refused, and the engine goes on', async () => {
  const id = await docker.ok('create', 'busybox', 'true')
  const path = `/v1.51/containers/${id}/archive?noOverwriteDirNonDir=1&path=`
  const tarOf = (...args: readonly string[]): Buffer =>
    execFileSync('tar', ['-P', '-C', folder.join('src'), '-cf', '-', ...args])
  const put = async (at: string, body: Buffer) => await send('PUT', path + at, body)
  assert.equal((await put('/tmp', tarOf('--transform', 's,^a,../../a,', 'a'))).status, 400)
  assert.match((await put('/', tarOf('--transform', 's,^a,etc,', 'a'))).text, /cannot overwrite directory \\"etc\\"/)
  assert.equal((await put('/tmp', tarOf('a').subarray(0, 513))).status, 500)
  assert.equal((await put('/tmp', Buffer.from('no tar at all'.repeat(100)))).status, 500)
  assert.equal((await put('/tmp', Buffer.alloc(0))).status, 200)
  assert.equal((await put('/etc/passwd', tarOf('a'))).text, '{"message":"extraction point is not a directory"}\n')
  assert.equal((await put('', tarOf('a'))).text, '{"message":"bad parameter: pathcannot be empty"}\n')
  assert.equal((await send('HEAD', `${path}/etc`)).stat.slice(0, 13), '{"name":"etc"')
  await docker.ok('start', id)
  await docker.ok('rm', '-f', id)
})

interface Answer {
  readonly status: number
  readonly text: string
  /** The decoded header. */
  readonly stat: string
}

function send(method: string, path: string, body?: Buffer): Promise<Answer> {
  const headers = body ? { 'content-type': 'application/x-tar', 'content-length': body.length } : {}
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: daemon.socket, method, path, headers }, (reply) => {
      const chunks: Buffer[] = []
      const stat = Buffer.from(String(reply.headers['x-docker-container-path-stat'] ?? ''), 'base64').toString()
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      const end = (): void =>
        resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString('latin1'), stat })
      reply.on('end', end)
      // An archive that the swapping cut short.
      reply.on('error', end)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
