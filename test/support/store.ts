import { createLog, systemClock, type Clock, type Log } from '#base'
import { createEventBus, type EngineEvent } from '#event'
import { createHubCollector } from '#hub'
import { bootId, createWorkerPool } from '#kernel'
import { openContentStore, type OpenContentStore } from '#store/content'
import { type Database, openDatabase } from '#store/db'
import { createGarbageCollector, type GarbageCollector } from '#store/gc'
import { createImageCollector, createImages, type Images } from '#store/image'
import { createLayerCollector, createLayers, findPrograms, type Layers } from '#store/layer'
import { createLeases, type Leases } from '#store/lease'
import { openSnapshots, type OpenSnapshots } from '#store/snapshot'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** A whole store without an engine: for tests of what moves images. */
export interface TestStore extends AsyncDisposable {
  readonly clock: Clock
  readonly database: Database
  readonly log: Log
  readonly leases: Leases
  readonly content: OpenContentStore
  readonly snapshots: OpenSnapshots
  readonly layers: Layers
  readonly images: Images
  readonly gc: GarbageCollector
  readonly events: { emit(event: Omit<EngineEvent, 'time'>): void }
  /** What was emitted so far. */
  readonly seen: Omit<EngineEvent, 'time'>[]
}

/** Opens the store below `folder`, or makes it; its jobs run in real workers. */
export async function openTestStore(folder: string): Promise<TestStore> {
  mkdirSync(folder, { recursive: true })
  await using stack = new AsyncDisposableStack()
  const clock = systemClock()
  const log = createLog('error', (line) => process.stderr.write(line))
  const pool = stack.use(createWorkerPool({ entry: new URL('./store-worker.ts', import.meta.url), size: 2 }))
  const database = stack.use(await openDatabase(join(folder, 'engine.db'), { pool }))
  const leases = createLeases()
  const content = await openContentStore({ folder: join(folder, 'content'), database, jobs: pool, clock, log })
  const parts = { database, jobs: pool, clock, log }
  const snapshots = stack.use(await openSnapshots({ ...parts, folder: join(folder, 'snapshots'), bootId: bootId() }))
  const programs = await findPrograms(process.env['PATH'] ?? '')
  const layers = createLayers({ database, content, snapshots, jobs: pool, programs })
  const seen: Omit<EngineEvent, 'time'>[] = []
  const bus = createEventBus(clock)
  const events = {
    emit(event: Omit<EngineEvent, 'time'>): void {
      seen.push(event)
      bus.emit(event)
    },
  }
  const images = createImages({ database, content, events, clock })
  const own = [
    createLayerCollector({ database }),
    createImageCollector({ database, clock }),
    createHubCollector({ database, clock }),
  ]
  const collectors = [content.collector, snapshots.collector, ...own]
  const gc = createGarbageCollector({ database, leases, collectors, log })
  const owned = stack.move()
  return {
    clock,
    database,
    log,
    leases,
    content,
    snapshots,
    layers,
    images,
    gc,
    events,
    seen,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
