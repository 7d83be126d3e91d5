import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { FickleFolder } from '#test/fickle'
import { NO_FUSE } from '#test/hang'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { ApiCalls, type Told } from '#test/race'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

/*
 * The races of attacks-race without luck: a folder is a link that leads out at every second look, or at two or three of four or
 * six. What looks at a path before it uses it is led out within a few calls.
 */

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const outside = folder.join('outside')
const SECRET = 'secret-8b02f1'
const LINKS = [`${'/..'.repeat(12)}${outside}`, `${'../'.repeat(12)}${outside.slice(1)}`, `/proc/1/root${outside}`]
const ROUNDS = 9
let daemon: TestDaemon
let docker: Docker
let api: ApiCalls

before(async () => {
  for (const path of [`${outside}/m`, folder.join('place'), folder.join('source')]) mkdirSync(path, { recursive: true })
  writeFileSync(`${outside}/secret`, SECRET)
  writeFileSync(`${outside}/m/secret`, SECRET)
  writeFileSync(folder.join('source/made'), 'copied in')
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  api = new ApiCalls(daemon.socket)
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  api[Symbol.dispose]()
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function assertOutsideUntouched(what: string): void {
  const found = readdirSync(outside, { recursive: true, encoding: 'utf8' })
  assert.deepEqual(new Set(found), new Set(['m', 'm/secret', 'secret']), what)
  for (const path of ['secret', 'm/secret']) assert.equal(readFileSync(`${outside}/${path}`, 'utf8'), SECRET, what)
  const mounts = readFileSync(`/proc/${daemon.pid}/mountinfo`, 'utf8')
  assert.ok(!mounts.includes(` ${outside}`), `${what}: something is mounted outside`)
}

test('cp, exec and mounts in a folder that is another at each look never lead out', { skip: NO_FUSE }, async (t) => {
  const place = folder.join('place')
  using fickle = new FickleFolder(place, LINKS)
  const tar = execFileSync('tar', ['-C', folder.join('source'), '-c', '.'])
  await docker.ok('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${place}`, 'fickle')
  const id = await docker.ok('run', '-d', '-v', `${place}:/v`, 'busybox', 'sleep', '1000')
  const binds = ['-v', `${place}:/v`, '-v', `${folder.join('source')}:/v/s/m`]
  const still = await docker.ok('create', ...binds, 'busybox', 'true')
  const read = ['sh', '-c', `cat secret m/secret /x/secret /v/s/secret; ls ${outside}; touch made /x/made; true`]
  const run = (host: object, more = {}): Promise<Told> =>
    api.run({ Image: 'busybox', Cmd: read, ...more, HostConfig: { NetworkMode: 'none', ...host } })
  const below = (Subpath: string): Promise<Told> =>
    run({ Mounts: [{ Type: 'volume', Source: 'fickle', Target: '/x', VolumeOptions: { Subpath } }] })
  const calls: Readonly<Record<string, () => Promise<Told>>> = {
    'cp a folder out': () => api.copyOut(id, '/v/s/.'),
    'cp out, links followed': () => api.copyOut(id, '/v/s', { follow: true }),
    'cp a file out': () => api.copyOut(id, '/v/s/secret'),
    'cp out of what holds it': () => api.copyOut(id, '/v'),
    'cp in': () => api.copyIn(id, '/v/s', tar),
    'cp in, deeper': () => api.copyIn(id, '/v/s/m', tar),
    'exec -w': () => api.exec(id, read, { WorkingDir: '/v/s' }),
    'a folder of the volume mounted': () => below('s'),
    'a folder in that': () => below('s/m'),
    'a mount in it': () => run({ Binds: [`${place}:/v`, `${folder.join('source')}:/v/s/m`] }, { WorkingDir: '/v/s' }),
    'cp out where a mount is in it': () => api.copyOut(still, '/v/s/m/made'),
    'a folder made in it': () => run({ Binds: [`${place}:/v`] }, { WorkingDir: '/v/s/m' }),
  }
  for (const [what, call] of Object.entries(calls)) {
    let done = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      fickle.every = 1 + (round % 3)
      const { ok, text } = await call()
      assert.ok(!text.includes(SECRET), `${what}: ${text}`)
      done += ok ? 1 : 0
    }
    t.diagnostic(`${what}: ${done} of ${ROUNDS} done`)
    assertOutsideUntouched(what)
  }
  assert.match((await api.copyOut(id, '/v/calm/file')).text, /quiet/)
  assert.equal(await docker.ok('exec', '-w', '/v/calm', id, 'cat', 'file'), 'quiet')
  t.diagnostic(`it was looked at ${fickle.looks} times`)
  assert.ok(fickle.looks > ROUNDS * Object.keys(calls).length)
  await docker.ok('rm', '-f', id, still)
  await docker.ok('volume', 'rm', 'fickle')
})
