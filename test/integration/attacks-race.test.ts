import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker, Outcome } from '#test/docker'
import { dockerClient } from '#test/docker'
import { isSoak } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, test, type TestContext } from 'node:test'

/*
 * A process in a container swaps parts of paths for links that lead out, without a pause, while the engine works on these
 * paths. `outside` is the host's: nobody may read it or write to it. Beside each attack the same call on a quiet path.
 * npm run soak attacks-race: ten minutes of each.
 */

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const outside = folder.join('outside')
const OUT = `${'/..'.repeat(12)}${outside}`
/** Milliseconds. */
const LENGTH = isSoak() ? 600_000 : 3000
/** Milliseconds after which a client counts as held up. */
const PATIENCE = isSoak() ? 300_000 : 60_000
let daemon: TestDaemon
let docker: Docker

before(async () => {
  mkdirSync(`${outside}/m`, { recursive: true })
  writeFileSync(`${outside}/secret`, 'of the host')
  writeFileSync(`${outside}/m/secret`, 'of the host')
  writeFileSync(`${outside}/passwd`, 'intruder:x:0:0::/:/bin/sh\n')
  mkdirSync(folder.join('source/deep'), { recursive: true })
  writeFileSync(folder.join('source/deep/file'), 'copied in')
  execFileSync('tar', ['-C', folder.join('source'), '-cf', folder.join('source.tar'), '.'])
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function assertOutsideUntouched(): void {
  const found = readdirSync(outside, { recursive: true, encoding: 'utf8' })
  assert.deepEqual(new Set(found), new Set(['m', 'm/secret', 'passwd', 'secret']))
  for (const path of ['secret', 'm/secret']) assert.equal(readFileSync(`${outside}/${path}`, 'utf8'), 'of the host')
}

/** Swaps `s` (with `s/m` in it) for links in each folder, for ever. */
const swapping = (...folders: readonly string[]): string =>
  `mkdir -p /quiet/deep; echo quiet >/quiet/deep/file; ln -s /quiet /link; cp /etc/passwd /tmp/passwd
  ${folders.map((path) => `mkdir -p ${path}; (cd ${path}; ${SWAP}) &`).join('\n')} wait`

const SWAP = `while true; do
  ln -s ${OUT} s; rm s; mkdir s; mkdir s/m; mv s t; ln -s /proc/1/root${outside} s; rm -rf t s
  mkdir s; mkdir s/m; mv s u; ln -s ${OUT} s; rm -rf s u; done 2>/dev/null`

const SWAP_USERS = `while true; do ln -s ${OUT}/passwd /etc/new; mv /etc/new /etc/passwd
  cp /tmp/passwd /etc/new; mv /etc/new /etc/passwd; done 2>/dev/null`

class Race {
  readonly #counts = new Map<string, { done: number; refused: number; last: string }>()

  /** Calls again and again until the time is over; what was told must never be the host's. */
  async run(calls: Readonly<Record<string, () => Promise<Outcome>>>): Promise<void> {
    const end = Date.now() + LENGTH
    while (Date.now() < end) {
      await Promise.all(Object.entries(calls).map(async ([what, call]) => this.#take(what, await call())))
      assertOutsideUntouched()
    }
  }

  #take(what: string, { code, stdout, stderr }: Outcome): void {
    assert.doesNotMatch(stdout + stderr, /of the host|uid=0\(intruder\)|killed by/, what)
    if (what.startsWith('quiet')) assert.equal(code, 0, `${what}: ${stderr}`)
    const count = this.#counts.get(what) ?? { done: 0, refused: 0, last: '' }
    if (code === 0) {
      count.done += 1
    } else {
      count.refused += 1
      count.last = stderr.trim()
    }
    this.#counts.set(what, count)
  }

  say(context: TestContext): void {
    for (const [what, { done, refused, last }] of this.#counts)
      context.diagnostic(`${what}: ${done} done, ${refused} refused${last && `, last: ${last}`}`)
  }
}

const attempt = (...args: readonly string[]): Promise<Outcome> => docker.run(args, { timeout: PATIENCE })

/** Once its quiet paths are there. */
async function start(script: string): Promise<string> {
  const id = await docker.ok('run', '-d', '-v', 'shared:/v', 'busybox', 'sh', '-c', script)
  await until(
    'the quiet paths are there',
    async () => (await attempt('exec', id, 'test', '-e', '/tmp/passwd')).code === 0,
  )
  return id
}

const attemptWith = (input: Buffer, ...args: readonly string[]): Promise<Outcome> =>
  docker.run(args, { timeout: PATIENCE, input })

test('exec and mounts: swapped folders never lead out, and quiet ones work all the while', async (context) => {
  const id = await start(swapping('/v', '/w'))
  const read = ['sh', '-c', `cat secret /v/s/secret ./m/secret; ls ${outside}; touch made /v/s/made; true`]
  const beside = ['run', '--rm', '-v', 'shared:/v']
  const race = new Race()
  await race.run({
    'exec -w into a volume': () => attempt('exec', '-w', '/v/s', id, ...read),
    'exec -w': () => attempt('exec', '-w', '/w/s/m', id, ...read),
    'run, a volume mounted in it': () => attempt(...beside, '-v', 'other:/v/s/m', '-w', '/v/s', 'busybox', ...read),
    'run, its folder made there': () => attempt(...beside, '-w', '/v/s/m/made', 'busybox', ...read),
    'run, a file mounted in it': () =>
      attempt(...beside, '-v', `${folder.join('source/deep/file')}:/v/s/file`, 'busybox', ...read),
    'run --tmpfs in it': () => attempt(...beside, '--tmpfs', '/v/s/m', 'busybox', ...read),
    'quiet exec': () => attempt('exec', '-w', '/link/deep', id, 'cat', 'file'),
    'quiet run': () => attempt(...beside, '-v', 'other:/v/calm', '-w', '/v/calm', 'busybox', 'pwd'),
  })
  race.say(context)
  await docker.ok('rm', '-f', id)
  await docker.ok('volume', 'rm', 'shared', 'other')
})

test('cp in and out: swapped folders never lead out, and quiet ones work all the while', async (context) => {
  const id = await start(swapping('/v', '/w'))
  const [tar, target] = [readFileSync(folder.join('source.tar')), folder.join('target')]
  const race = new Race()
  await race.run({
    'cp out of a volume': () => attempt('cp', `${id}:/v/s/.`, '-'),
    'cp out, links followed': () => attempt('cp', '-L', `${id}:/w/s`, '-'),
    'cp a file out': () => attempt('cp', `${id}:/w/s/secret`, '-'),
    'cp out to a folder, of links and what was copied in': async () => {
      const outcome = await attempt('cp', `${id}:/w`, target)
      if (outcome.code === 0) assert.doesNotMatch(filesOf(target), /secret|passwd|deleted/)
      rmSync(target, { recursive: true, force: true })
      return outcome
    },
    'cp a tar in': () => attemptWith(tar, 'cp', '-', `${id}:/w/s`),
    'cp a tar into a volume': () => attemptWith(tar, 'cp', '-a', '-', `${id}:/v/s/m`),
    'cp a file in': () => attempt('cp', folder.join('source/deep/file'), `${id}:/w/s/made`),
    'quiet cp out': () => attempt('cp', `${id}:/link/deep/file`, '-'),
    'quiet cp in': () => attemptWith(tar, 'cp', '-', `${id}:/link`),
  })
  race.say(context)
  assert.equal(await docker.ok('exec', id, 'cat', '/quiet/deep/file'), 'copied in')
  await docker.ok('rm', '-f', id)
  await docker.ok('volume', 'rm', 'shared')
})

/** What is a file, links not followed (readdir would). */
const filesOf = (path: string): string => execFileSync('find', [path, '-type', 'f'], { encoding: 'utf8' })

test('users, changes and exports: a swapped /etc/passwd is never the host’s', async (context) => {
  const script = `${swapping('/w').replace(/wait$/, '')} ${SWAP_USERS}`
  const id = await start(script)
  const race = new Race()
  await race.run({
    'exec -u': () => attempt('exec', '-u', 'intruder', id, 'id'),
    'exec -u of a known user': () => attempt('exec', '-u', 'mail', id, 'id'),
    diff: () => attempt('diff', id),
    export: () => attempt('export', id),
    commit: () => attempt('commit', '-p=false', id, 'raced'),
    'quiet exec -u': () => attempt('exec', '-u', '8', id, 'id', '-u'),
  })
  race.say(context)
  await docker.ok('rm', '-f', id)
  const seen = await docker.ok('run', '--rm', '-u', '0', 'raced', 'cat', '/link/deep/file')
  assert.equal(seen, 'quiet')
})
