import { silentLog, systemClock } from '#base'
import { attachMounts, bootId, createWorkerPool, type Mount, unmountSync } from '#kernel'
import { type ContentStore, openContentStore } from '#store/content'
import { type Database, openDatabase } from '#store/db'
import { createLeases, type Lease, type Leases } from '#store/lease'
import { createLayers, type Layers, type Programs } from '#store/layer'
import { type OpenSnapshots, openSnapshots } from '#store/snapshot'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

const WORKER = join(import.meta.dirname, '..', '..', 'src', 'bin', 'worker.ts')

/** A store with its layers, in a folder, with workers of its own. */
export interface LayerStore extends AsyncDisposable {
  readonly database: Database
  readonly leases: Leases
  readonly lease: Lease
  readonly content: ContentStore
  readonly snapshots: OpenSnapshots
  readonly layers: Layers
}

export async function openLayerStore(folder: string, programs: Programs): Promise<LayerStore> {
  await using stack = new AsyncDisposableStack()
  mkdirSync(folder, { recursive: true })
  const [clock, log] = [systemClock(), silentLog()]
  const jobs = stack.use(createWorkerPool({ entry: WORKER, size: 2 }))
  const database = stack.use(await openDatabase(join(folder, 'engine.db'), { pool: jobs }))
  const leases = createLeases()
  const lease = stack.use(await leases.open('test'))
  const content = await openContentStore({ database, folder: join(folder, 'content'), jobs, clock, log })
  const snapshots = stack.use(
    await openSnapshots({ database, folder: join(folder, 'snapshots'), jobs, clock, log, bootId: bootId() }),
  )
  const layers = createLayers({ database, content, snapshots, jobs, programs })
  const owned = stack.move()
  return {
    database,
    leases,
    lease,
    content,
    snapshots,
    layers,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Mounts at a folder, does something with it, unmounts. */
export async function whileMounted<T>(mounts: readonly Mount[], at: string, use: (root: string) => T): Promise<T> {
  mkdirSync(at, { recursive: true })
  attachMounts(mounts, at)
  try {
    return await use(at)
  } finally {
    unmountSync(at)
  }
}
