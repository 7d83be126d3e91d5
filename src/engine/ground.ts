import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLog, ifExists, longId, shortId, systemClock, writeFileAtomic } from '#base'
import type { Clock, Log } from '#base'
import { createEventBus } from '#event'
import type { EventBus } from '#event'
import { bootId, createWorkerPool, openHostMounts } from '#kernel'
import type { HostMounts, WorkerPool } from '#kernel'
import { openContentStore } from '#store/content'
import type { OpenContentStore } from '#store/content'
import { openDatabase } from '#store/db'
import type { Database } from '#store/db'
import { createImageCollector, createImages } from '#store/image'
import type { ImageCollector, Images } from '#store/image'
import { createLayers, findPrograms } from '#store/layer'
import type { Layers, Programs } from '#store/layer'
import { createLeases } from '#store/lease'
import type { Leases } from '#store/lease'
import { openSnapshots } from '#store/snapshot'
import type { OpenSnapshots } from '#store/snapshot'
import { lockRoot } from './lock.ts'
import { releaseUnusedNamespace } from './own-namespace.ts'
import type { EngineConfig } from './types.ts'

/** What is there before anything moves or runs: the machine's side, and the store. */
export interface Ground {
  readonly config: EngineConfig
  /** Of this data root, for ever. */
  readonly id: string
  readonly clock: Clock
  readonly log: Log
  readonly events: EventBus
  readonly pool: WorkerPool
  readonly hostMounts: HostMounts
  readonly programs: Programs
  readonly database: Database
  readonly leases: Leases
  readonly content: OpenContentStore
  readonly snapshots: OpenSnapshots
  readonly layers: Layers
  readonly images: Images
  readonly imageCollector: ImageCollector
}

/** Opens the store below the data root; everything acquired goes onto `stack`, in order. */
export async function openGround(config: EngineConfig, stack: AsyncDisposableStack): Promise<Ground> {
  const clock = systemClock()
  const log = createLog(config.logLevel, config.writeLog)
  const events = createEventBus(clock)
  await mkdir(config.dataRoot, { recursive: true, mode: 0o710 })
  await mkdir(config.execRoot, { recursive: true, mode: 0o711 })
  stack.use(lockRoot(config.execRoot, 'exec root'))
  const pool = stack.use(createWorkerPool({ entry: config.workerEntry }))
  const hostMounts = stack.use(openHostMounts({ entry: config.workerEntry, inherited: config.hostMounts }))
  stack.defer(() => releaseUnusedNamespace(config, hostMounts))
  stack.use(lockRoot(config.dataRoot, 'data root'))
  const { id, isNew } = await readEngineId(config.dataRoot)
  const database = stack.use(await openDatabase(join(config.dataRoot, 'engine.db'), { pool, create: isNew }))
  const programs = await findPrograms(config.path)
  const leases = createLeases({ database, clock, run: shortId() })
  const content = await openContentStore({ folder: join(config.dataRoot, 'content'), database, jobs: pool, clock, log })
  const folder = join(config.dataRoot, 'snapshots')
  const snapshots = stack.use(await openSnapshots({ database, folder, jobs: pool, clock, log, bootId: bootId() }))
  const layers = createLayers({ database, content, snapshots, jobs: pool, programs })
  const images = createImages({ database, content, events, clock })
  const imageCollector = createImageCollector({ database, clock })
  return {
    config,
    id,
    clock,
    log,
    events,
    pool,
    hostMounts,
    programs,
    database,
    leases,
    content,
    snapshots,
    layers,
    images,
    imageCollector,
  }
}

/** The id is written when the store has been made: from then on a missing database is damage, not a beginning. */
async function readEngineId(dataRoot: string): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const path = join(dataRoot, 'engine-id')
  const known = (await ifExists(readFile(path, 'utf8')))?.trim()
  if (known) return { id: known, isNew: false }
  const id = longId()
  return { id, isNew: true }
}

/** Says that the store below the data root is complete. */
export async function keepEngineId(ground: Ground): Promise<void> {
  const path = join(ground.config.dataRoot, 'engine-id')
  if ((await ifExists(readFile(path, 'utf8')))?.trim() !== ground.id)
    await writeFileAtomic(path, `${ground.id}\n`, 0o644)
}
