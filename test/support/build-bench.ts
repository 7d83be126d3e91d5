import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { createLog, systemClock } from '#base'
import { createBuilder, createCacheCollector } from '#builder'
import type { BuildEvent, Builder, BuilderParts, BuildRequest, CommandSpec, Runner } from '#builder'
import { createEventBus } from '#event'
import { attachMounts, bootId, createWorkerPool, unmount, unmountSync } from '#kernel'
import { chainIds, parseReference } from '#oci'
import { openContentStore } from '#store/content'
import { openDatabase } from '#store/db'
import { createGarbageCollector } from '#store/gc'
import type { GarbageCollector } from '#store/gc'
import { createImageCollector, createImages } from '#store/image'
import type { Image, Images } from '#store/image'
import { createLayers, NO_PROGRAMS } from '#store/layer'
import type { Layers } from '#store/layer'
import { createLeases } from '#store/lease'
import type { Leases } from '#store/lease'
import { openSnapshots } from '#store/snapshot'
import type { OpenSnapshots } from '#store/snapshot'
import { createTransfer } from '#transfer'
import { testEnvironment } from './environment.ts'
import { watchLeftovers } from './leftovers.ts'
import { temporary } from './temporary.ts'

/** A builder on a real store, with a runner that enters the root by chroot. */
export interface BuildBench extends AsyncDisposable {
  readonly builder: Builder
  readonly images: Images
  readonly layers: Layers
  readonly snapshots: OpenSnapshots
  readonly leases: Leases
  readonly folder: string
  readonly garbage: GarbageCollector
  /** Commands that were started, in order. */
  readonly started: CommandSpec[]
  /** What the worker threads were given to do, in order. */
  readonly jobs: { readonly job: string; readonly input: unknown; readonly output: Promise<unknown> }[]
  /** Of each layer that was hashed, in order: whether its digest was known before. */
  readonly claimed: boolean[]
  build(request: Partial<BuildRequest> & Pick<BuildRequest, 'context'>, signal?: AbortSignal): Promise<BuildRun>
}

export interface BuildRun {
  readonly image: Image
  readonly events: readonly BuildEvent[]
  readonly output: string
}

type BenchOptions = Pick<BuilderParts, 'cacheLimit' | 'fetch'>

async function openBuildBench(folder: string, worker: URL, options: BenchOptions): Promise<BuildBench> {
  await using stack = new AsyncDisposableStack()
  const clock = systemClock()
  const log = createLog('error', (line) => process.stderr.write(line))
  const dataRoot = join(folder, 'data')
  mkdirSync(dataRoot, { recursive: true })
  const pool = stack.use(createWorkerPool({ entry: worker }))
  const jobs: BuildBench['jobs'][number][] = []
  const runJob = pool.run.bind(pool)
  pool.run = (job, input, jobOptions) => {
    const output = runJob(job, input, jobOptions)
    jobs.push({ job, input, output })
    return output as never
  }
  const database = stack.use(await openDatabase(join(dataRoot, 'engine.db'), { pool, create: true }))
  const events = createEventBus(clock)
  const leases = createLeases()
  const content = await openContentStore({ folder: join(dataRoot, 'content'), database, jobs: pool, clock, log })
  const snapshotFolder = join(dataRoot, 'snapshots')
  const snapshots = stack.use(
    await openSnapshots({ database, folder: snapshotFolder, jobs: pool, clock, log, bootId: bootId() }),
  )
  const layers = createLayers({ database, content, snapshots, jobs: pool, programs: NO_PROGRAMS })
  const claimed: boolean[] = []
  const diff = layers.diff.bind(layers)
  layers.diff = (frozen, lease, options) => {
    claimed.push(options?.claim !== undefined)
    return diff(frozen, lease, options)
  }
  const images = createImages({ database, content, events, clock })
  const registryFor = (): never => {
    throw new Error('a test of the builder pulls nothing')
  }
  const transfer = createTransfer({ registryFor, leases, content, snapshots, layers, images, events, clock })
  const started: CommandSpec[] = []
  const runner = chrootRunner(join(folder, 'roots'), started)
  const parts = { database, content, snapshots, layers, images, transfer, leases, events, clock, pool, runner, log }
  const builder = createBuilder({ ...parts, ...options, dataRoot })
  await builder.restore()
  const collectors = [
    createImageCollector({ database, clock }),
    createCacheCollector({ database, clock }),
    content.collector,
    snapshots.collector,
  ]
  const garbage = createGarbageCollector({ database, leases, collectors, log })
  await transfer.importRoot(createReadStream(testEnvironment().busybox), { name: parseReference('busybox') })
  const kept = stack.move()
  return {
    builder,
    images,
    layers,
    snapshots,
    leases,
    folder,
    garbage,
    started,
    jobs,
    claimed,
    build: (request, signal) => run(builder, images, request, signal),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

async function run(
  builder: Builder,
  images: Images,
  request: Partial<BuildRequest> & Pick<BuildRequest, 'context'>,
  signal?: AbortSignal,
): Promise<BuildRun> {
  const events: BuildEvent[] = []
  const outcome = await builder.build(
    {
      dockerfile: { path: 'Dockerfile' },
      tags: [],
      buildArgs: {},
      labels: {},
      noCache: false,
      pull: false,
      network: 'default',
      ...request,
    },
    { onEvent: (event) => events.push(event), ...(signal ? { signal } : {}) },
  )
  const output = events.flatMap((event) => (event.kind === 'output' ? [Buffer.from(event.bytes).toString()] : []))
  return { image: await images.open(outcome.image), events, output: output.join('') }
}

/** Runs a command in its root without a container: enough where only the effect on files counts. */
function chrootRunner(folder: string, started: CommandSpec[]): Runner {
  return {
    async run(command, root, output, signal) {
      started.push(command)
      const path = join(folder, command.id)
      mkdirSync(path, { recursive: true })
      attachMounts(root, path)
      try {
        const env = Object.fromEntries(command.env.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]))
        const script = 'cd "$0" && exec "$@"'
        const args = [path, '/bin/busybox', 'sh', '-c', script, command.cwd, ...command.args]
        const child = spawn('/usr/sbin/chroot', args, { env })
        signal?.addEventListener('abort', () => child.kill('SIGKILL'), { once: true })
        child.stdout.on('data', (bytes: Buffer) => output({ stream: 'stdout', bytes }))
        child.stderr.on('data', (bytes: Buffer) => output({ stream: 'stderr', bytes }))
        const [code] = await once(child, 'close')
        return { code: Number(code ?? 137) }
      } finally {
        await unmount(path)
        rmdirSync(path)
      }
    },
  }
}

/** A bench for one test, and an empty folder as its context; at the end nothing may be left. */
export async function withBench(
  worker: URL,
  work: (bench: BuildBench, context: string) => Promise<void>,
  options: BenchOptions = {},
): Promise<void> {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using bench = await openBuildBench(folder.path, worker, options)
    const context = folder.join('context')
    mkdirSync(context)
    await work(bench, context)
  }
  await leftovers.assertNothingLeft()
}

export function dockerfile(...lines: readonly string[]) {
  return { text: `${lines.join('\n')}\n` }
}

/** Shows an image's root to `look`. */
export async function withRoot<T>(bench: BuildBench, run: BuildRun, look: (root: string) => T): Promise<T> {
  const chain = chainIds(run.image.config.rootfs.diff_ids).at(-1)
  assert.ok(chain)
  const snapshot = await bench.snapshots.find(chain)
  assert.ok(snapshot)
  const lease = await bench.leases.open('look')
  const view = await bench.snapshots.view('look', snapshot.id, lease)
  const root = join(bench.folder, 'look')
  mkdirSync(root, { recursive: true })
  attachMounts(view.mounts, root)
  try {
    return look(root)
  } finally {
    unmountSync(root)
    await bench.snapshots.remove(view.key)
    await lease[Symbol.asyncDispose]()
  }
}

/** Each layer's tree still gives the tar that it was named by: some are hashed while their files come. */
export async function assertPackable(bench: BuildBench, { image }: BuildRun, what: string): Promise<void> {
  await using lease = await bench.leases.open('test')
  const [, ...made] = chainIds(image.config.rootfs.diff_ids)
  for (const chain of made) {
    const layer = await bench.layers.find(chain)
    assert.ok(layer, what)
    const { digest } = await bench.layers.pack({ ...layer, blobs: [] }, 'tar', lease)
    assert.equal(digest, layer.diffId, what)
  }
}
