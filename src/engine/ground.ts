import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLog, ifExists, longId, systemClock, writeFileAtomic } from '#base'
import type { Clock, Log } from '#base'
import { releaseUnusedNamespace } from '#engine/namespace'
import { createEventBus } from '#event'
import type { EventBus } from '#event'
import { bootId, createWorkerPool, openHostMounts } from '#kernel'
import type { HostMounts, WorkerPool } from '#kernel'
import { openContentStore } from '#store/content'
import type { OpenContentStore } from '#store/content'
import { type KeptDatabase, openKeptDatabase, sealDatabase } from '#store/db'
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
  /** The database was damaged at this start, and what could be read of it may not be all. */
  readonly recordsLost: boolean
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
  // its file may be lost as any other: a store without a database is damaged, not new
  const isEmpty = isNew && !existsSync(join(config.dataRoot, 'content'))
  const kept = await openRecords(config, stack, { pool, log, isNew: isEmpty })
  const { database } = kept
  const programs = await findPrograms(config.path)
  const leases = createLeases()
  const content = await openContent({ config, database, pool, clock, log }, kept.incomplete)
  const snapshots = stack.use(await openTrees({ config, database, pool, clock, log }, kept.incomplete))
  const layers = createLayers({ database, content, snapshots, jobs: pool, programs })
  const images = createImages({ database, content, events, clock })
  const imageCollector = createImageCollector({ database, clock })
  return {
    recordsLost: kept.incomplete,
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

async function openRecords(
  config: EngineConfig,
  stack: AsyncDisposableStack,
  { pool, log, isNew }: { readonly pool: WorkerPool; readonly log: Log; readonly isNew: boolean },
): Promise<KeptDatabase> {
  const path = join(config.dataRoot, 'engine.db')
  stack.defer(() => sealDatabase(path))
  const kept = await openKeptDatabase(path, { pool, create: isNew })
  stack.use(kept.database)
  for (const text of kept.damage) log.warn(text)
  return kept
}

type StoreParts = Pick<Ground, 'config' | 'database' | 'pool' | 'clock' | 'log'>

function openContent({ config, pool, ...parts }: StoreParts, recordsLost: boolean): Promise<OpenContentStore> {
  const folder = join(config.dataRoot, 'content')
  return openContentStore({ ...parts, folder, jobs: pool, takeUpStrays: recordsLost })
}

/** Trees that no record knows may hold what containers wrote: after a loss of records they are kept aside. */
function openTrees({ config, pool, ...parts }: StoreParts, recordsLost: boolean): Promise<OpenSnapshots> {
  const folder = join(config.dataRoot, 'snapshots')
  const keepStrays = join(config.dataRoot, `lost-${parts.clock.nanoseconds()}`)
  return openSnapshots({ ...parts, folder, jobs: pool, bootId: bootId(), ...(recordsLost && { keepStrays }) })
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
