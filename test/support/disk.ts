import type { TestDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'

interface Share {
  readonly Kind: string
  readonly Count: number
  readonly Size: number
}

interface Report {
  readonly Total: number
  readonly Shares: readonly Share[]
  readonly Items: readonly { readonly Kind: string; readonly Path: string; readonly Size: number }[]
}

/** What the daemon says about its disk. */
async function diskReport(daemon: TestDaemon): Promise<Report> {
  const { status, text } = await daemon.call('GET', '/x/disk')
  assert.equal(status, 200, text)
  return JSON.parse(text)
}

/** What the kernel says: blocks that are allocated below the root. */
function du(folder: string): number {
  return Number.parseInt(execFileSync('du', ['-xs', '--block-size=1', folder], { encoding: 'utf8' }), 10)
}

/**
 * Asserts that the sums are those of `du`, that parts add up, and that nothing is without an owner. Where the daemon is
 * still removing or syncing, both are looked at again until a look before and one after `du` are equal.
 */
export async function assertSums(daemon: TestDaemon, when: string): Promise<Report> {
  let said = ''
  let found: Report | undefined
  const isEqual = async (): Promise<boolean> => {
    const before = await diskReport(daemon)
    const taken = du(daemon.dataRoot)
    const after = await diskReport(daemon)
    said = `${when}: system df says ${before.Total} and ${after.Total}, du ${taken}`
    found = after
    return before.Total === taken && after.Total === taken
  }
  await until('system df equals du', isEqual, 30).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${said}`)
  })
  assert(found)
  const sum = (items: readonly { readonly Size: number }[]): number => items.reduce((all, { Size }) => all + Size, 0)
  assert.equal(sum(found.Shares), found.Total, `${when}: the kinds add up`)
  assert.equal(sum(found.Items), found.Total, `${when}: the items add up`)
  const strays = found.Items.filter(({ Kind }) => Kind === 'unowned')
  assert.deepEqual(strays, [], `${when}: nothing is without an owner`)
  return found
}

/** After everything has been pruned: only the records are left. */
export async function assertOnlyRecords(daemon: TestDaemon): Promise<void> {
  let left: readonly string[] = []
  const isEmpty = async (): Promise<boolean> => {
    left = (await diskReport(daemon)).Items.filter(({ Kind }) => Kind !== 'record').map(({ Path }) => Path)
    return left.length === 0
  }
  await until('only records are left', isEmpty, 30).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${left.slice(0, 20).join(' ')}`)
  })
}

interface Scene {
  readonly daemon: TestDaemon
  readonly docker: Docker
  /** Names of images on a registry. */
  readonly remote: readonly string[]
  readonly context: string
  readonly random: () => number
}

type Operation = (scene: Scene, number: number) => Promise<unknown>

const pick = <T>(scene: Scene, values: readonly T[]): T | undefined =>
  values[Math.floor(scene.random() * values.length)]

async function anyOf(scene: Scene, ...args: readonly string[]): Promise<string | undefined> {
  const { stdout } = await scene.docker.run(args)
  return pick(scene, stdout.split('\n').filter(Boolean))
}

const anyImage = async (scene: Scene): Promise<string> => (await anyOf(scene, 'images', '-q')) ?? 'busybox'
const anyContainer = async (scene: Scene): Promise<string> => (await anyOf(scene, 'ps', '-aq')) ?? 'none'

/** Kills the daemon somewhere in the middle of another operation, and starts a new one. */
async function killDuring(scene: Scene, number: number): Promise<void> {
  const work = pick(
    scene,
    Object.values(OPERATIONS).filter((one) => one !== killDuring),
  )
  const under = work?.(scene, number).catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, scene.random() * 500))
  await scene.daemon.kill9()
  await under
  await scene.daemon.restart()
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  pull: (scene) => scene.docker.run(['pull', '-q', pick(scene, scene.remote) ?? '']),
  build(scene, number) {
    writeFileSync(`${scene.context}/changing`, `${Math.floor(scene.random() * 4)}`)
    return scene.docker.run(['build', '-q', '-t', `built${number % 5}`, scene.context])
  },
  run: ({ docker }, number) =>
    docker.run(['run', '-v', `/data`, 'busybox', 'sh', '-c', `head -c ${number}000 /dev/urandom >/x; cp /x /data`]),
  runAndRemove: ({ docker }) =>
    docker.run(['run', '--rm', '-v', 'named:/data', 'busybox', 'sh', '-c', 'date >>/data/x']),
  create: async (scene) => await scene.docker.run(['create', '-v', '/more', await anyImage(scene), 'true']),
  commit: async (scene, number) => await scene.docker.run(['commit', await anyContainer(scene), `made${number % 7}`]),
  tag: async (scene, number) => await scene.docker.run(['tag', await anyImage(scene), `tagged${number % 9}`]),
  rmi: async (scene) => await scene.docker.run(['rmi', await anyImage(scene)]),
  rmiByForce: async (scene) => await scene.docker.run(['rmi', '-f', await anyImage(scene)]),
  rm: async (scene) =>
    await scene.docker.run(['rm', '-f', ...(scene.random() < 0.5 ? ['-v'] : []), await anyContainer(scene)]),
  pruneImages: ({ docker }) => docker.run(['image', 'prune', '-f']),
  pruneContainers: ({ docker }) => docker.run(['container', 'prune', '-f']),
  pruneVolumes: ({ docker }) => docker.run(['volume', 'prune', '-f']),
  pruneCache: ({ docker }) => docker.run(['builder', 'prune', '-f']),
  kill: killDuring,
}

const DOCKERFILE = `FROM busybox
RUN for i in 1 2 3 4 5 6 7 8 9; do echo $i >/$i; done; ln /1 /linked
COPY changing /changing
RUN cat /changing >/copy && rm /5 && dd if=/dev/zero of=/sparse bs=1 count=1 seek=1000000
`

/** An image with layers of its own, on the registry alone. */
async function publish(docker: Docker, name: string, context: string): Promise<void> {
  const step = `RUN head -c 300000 /dev/urandom >/own && mkdir /many && for i in $(seq 50); do echo $i >/many/$i; done`
  await docker.run(['build', '-q', '-t', name, '-f', '-', context], {
    input: `FROM busybox\n${step}\nRUN rm /many/1\n`,
  })
  await docker.ok('push', '-q', name)
  await docker.ok('rmi', name)
}

/** Does `count` random things to a daemon, one after the other; the sums are compared after every tenth and at the end. */
export async function randomOperations(
  daemon: TestDaemon,
  docker: Docker,
  options: {
    readonly count: number
    readonly random: () => number
    readonly registry: string
    readonly context: string
    readonly onStep?: (text: string) => void
  },
): Promise<void> {
  const { count, random, registry, context } = options
  mkdirSync(context, { recursive: true })
  writeFileSync(`${context}/Dockerfile`, DOCKERFILE)
  const remote = ['small', 'large'].map((name) => `${registry}/${name}`)
  await docker.ok('pull', '-q', 'busybox')
  for (const name of remote) await publish(docker, name, context)
  const scene: Scene = { daemon, docker, remote, context, random }
  const names = [...Object.keys(OPERATIONS), 'pull', 'build', 'run', 'kill']
  for (let number = 1; number <= count; number += 1) {
    const name = pick(scene, names) ?? ''
    options.onStep?.(`${number} ${name}`)
    await OPERATIONS[name]?.(scene, number)
    if ((await docker.run(['image', 'inspect', 'busybox'])).code !== 0) await docker.ok('pull', '-q', 'busybox')
    if (number % 10 === 0) await assertSums(daemon, `after ${number} operations, ${name} the last`)
  }
}

/** Everything that a user can remove, by docker's own commands. */
export async function pruneEverything(docker: Docker): Promise<void> {
  const containers = (await docker.ok('ps', '-aq')).split('\n').filter(Boolean)
  if (containers.length > 0) await docker.ok('rm', '-f', ...containers)
  await docker.ok('system', 'prune', '-af', '--volumes')
  // before API 1.42 `all` was not to be asked for, it was always so
  const [, minor] = (await docker.ok('version', '-f', '{{.Client.APIVersion}}')).split('.')
  await docker.ok('volume', 'prune', '-f', ...(Number(minor) < 42 ? [] : ['--filter', 'all=1']))
}
