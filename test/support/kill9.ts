import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'

/** What is under way when the daemon is killed. */
const WORKS = ['build', 'pull', 'commit', 'run', 'exit'] as const

/** Counts in its log and in a file of its writable layer, ten times a second, without ever missing a number. */
const KEEPER = 'i=0; while true; do i=$((i+1)); echo $i; echo $i >/next; mv /next /kept; sleep 0.1; done'

const DOCKERFILE = `FROM busybox
RUN echo one >/one; sleep 0.05
RUN mkdir /many && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $i >/many/$i; done
COPY data /data
RUN echo two >/two; sleep 0.05; rm /one
CMD ["cat", "/two"]
`

interface Scene {
  readonly daemon: TestDaemon
  readonly docker: Docker
  /** `127.0.0.1:PORT/debian`: something to pull. */
  readonly image: string
  readonly context: string
}

/**
 * Kills the daemon at `rounds` random moments of build, pull, commit, run and exit, starts a new one each time, and
 * asserts what must hold then; at the end that nothing is left. Returns how long a new daemon took, in milliseconds.
 */
export async function killAtRandomMoments(rounds: number, random: () => number): Promise<readonly number[]> {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  const starts: number[] = []
  {
    await using registry = await startRegistry(folder.path)
    await using daemon = await startDaemon({ folder: folder.path })
    using docker = dockerClient(daemon.host)
    const scene = await prepare(daemon, docker, `${registry.host}/small`, folder.join('context'))
    for (let round = 0; round < rounds; round += 1) starts.push(await oneRound(scene, round, random))
    await clear(scene)
    await assertEmpty(scene)
  }
  await leftovers.assertNothingLeft()
  return starts
}

async function prepare(daemon: TestDaemon, docker: Docker, image: string, context: string): Promise<Scene> {
  mkdirSync(`${context}/data`, { recursive: true })
  for (let file = 0; file < 200; file += 1) writeFileSync(`${context}/data/${file}`, `${file}\n`.repeat(500))
  writeFileSync(`${context}/Dockerfile`, DOCKERFILE)
  await docker.ok('pull', '-q', 'busybox')
  await docker.ok('tag', 'busybox', image)
  await docker.ok('push', '-q', image)
  await docker.ok('run', '-d', '--name', 'keeper', 'busybox', 'sh', '-c', KEEPER)
  return { daemon, docker, image, context }
}

async function oneRound(scene: Scene, round: number, random: () => number): Promise<number> {
  const { daemon, docker } = scene
  const work = WORKS[round % WORKS.length] ?? 'run'
  const under = begin(scene, work, round)
  await new Promise((resolve) => setTimeout(resolve, random() * 700))
  const pid = await docker.ok('inspect', '-f', '{{.State.Pid}}', 'keeper')
  await daemon.kill9()
  await under
  const from = performance.now()
  await daemon.restart()
  const took = performance.now() - from
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Pid}} {{.State.Running}}', 'keeper'), `${pid} true`)
  await assertLogWhole(docker)
  await assertExitKept(docker, work, round)
  assert.match(await docker.ok('run', '--rm', 'busybox', 'echo', 'alive'), /^alive$/)
  return took
}

/** Starts the work and swallows its failure: its daemon is about to be killed. */
function begin(scene: Scene, work: (typeof WORKS)[number], round: number): Promise<unknown> {
  const { docker } = scene
  const name = `round${round}`
  const lines: Record<typeof work, () => Promise<unknown>> = {
    build: () => docker.run(['build', '--no-cache', '-t', name, scene.context]),
    pull: async () => {
      await docker.run(['rmi', scene.image])
      return await docker.run(['pull', scene.image])
    },
    commit: () => docker.run(['commit', 'keeper', name]),
    run: () => docker.run(['run', '--name', name, 'busybox', 'sh', '-c', 'echo x >/x; sleep 0.3; exit 7']),
    exit: () => docker.run(['run', '-d', '--name', name, 'busybox', 'sh', '-c', 'sleep 0.4; echo bye; exit 42']),
  }
  return lines[work]()
}

/** Every number from 1 on, in order, none twice. */
async function assertLogWhole(docker: Docker): Promise<void> {
  const numbers = (await docker.ok('logs', 'keeper')).split('\n').map(Number)
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, index) => index + 1),
  )
  const kept = Number(await docker.ok('exec', 'keeper', 'cat', '/kept'))
  assert.ok(kept >= numbers.length - 1, `the file says ${kept}, the log ${numbers.length}`)
}

/** A container that was created before the kill ends with its own exit code, whoever watched. */
async function assertExitKept(docker: Docker, work: string, round: number): Promise<void> {
  const name = `round${round}`
  const expected = work === 'exit' ? 42 : 7
  if (work !== 'exit' && work !== 'run') return
  const { code, stdout } = await docker.run(['inspect', '-f', '{{.State.Status}}', name])
  if (code !== 0 || stdout.trim() === 'created') return
  await until(
    `${name} has ended`,
    async () => (await docker.ok('inspect', '-f', '{{.State.Status}}', name)) === 'exited',
  )
  assert.equal(await docker.ok('inspect', '-f', '{{.State.ExitCode}}', name), String(expected))
  if (work === 'exit') assert.equal(await docker.ok('logs', name), 'bye')
}

async function clear({ docker }: Scene): Promise<void> {
  const containers = (await docker.ok('ps', '-aq')).split('\n').filter(Boolean)
  if (containers.length > 0) await docker.ok('rm', '-f', ...containers)
  await docker.ok('builder', 'prune', '-af')
  const images = new Set((await docker.ok('images', '-aq', '--no-trunc')).split('\n').filter(Boolean))
  for (const id of images) await docker.run(['rmi', '-f', id])
  await docker.ok('image', 'prune', '-af')
}

/** The store holds nothing but its database when nothing is in it; the last bytes go in the background. */
async function assertEmpty({ daemon, docker }: Scene): Promise<void> {
  assert.equal(await docker.ok('images', '-aq'), '')
  let left: readonly string[] = []
  const isEmpty = (): boolean => {
    left = [...filesOf(`${daemon.dataRoot}/snapshots`), ...filesOf(`${daemon.dataRoot}/content`)]
    return left.length === 0
  }
  await until('the store is empty', isEmpty).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${left.slice(0, 20).join(' ')}`)
  })
}

/** What is no folder below one; a folder that goes meanwhile counts as one file. */
function filesOf(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => `${entry.parentPath}/${entry.name}`)
  } catch (error) {
    return [String(error)]
  }
}
