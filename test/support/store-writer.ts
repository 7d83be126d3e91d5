import { collect, createLog, systemClock } from '#base'
import { parseDigest } from '#oci'
import type { ContentJobRunner, OpenContentStore } from '#store/content'
import { contentJobs, openContentStore } from '#store/content'
import type { Database } from '#store/db'
import { openDatabase, readText } from '#store/db'
import type { Collector, GarbageCollector } from '#store/gc'
import { createGarbageCollector } from '#store/gc'
import type { Leases } from '#store/lease'
import { createLeases } from '#store/lease'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'

/** The rooms that keep bytes, with a plain list of kept blobs in the place of images. */
export interface SmallStore extends AsyncDisposable {
  readonly database: Database
  readonly content: OpenContentStore
  readonly leases: Leases
  readonly gc: GarbageCollector
  readonly warnings: readonly string[]
  keep(digest: string): void
  drop(digest: string): void
  kept(): readonly string[]
}

const jobs: ContentJobRunner = {
  async run<Input, Output>(_job: string, input: Input): Promise<Output> {
    return contentJobs['content.hash'](String(input), { cancelled: () => false }) as Output
  },
}

export async function openSmallStore(root: string): Promise<SmallStore> {
  const warnings: string[] = []
  const log = createLog('warn', (line) => warnings.push(line))
  const clock = systemClock()
  const database = await openDatabase(join(root, 'engine.db'))
  database.run('CREATE TABLE IF NOT EXISTS test_kept (digest TEXT PRIMARY KEY) STRICT')
  const leases = createLeases()
  const content = await openContentStore({ folder: join(root, 'content'), database, jobs, clock, log })
  const kept = (): readonly string[] =>
    database.all('SELECT digest FROM test_kept ORDER BY digest').map((row) => readText(row, 'digest'))
  const list: Collector = {
    roots: () => kept().map((id) => ({ kind: 'blob', id })),
    edges: () => [],
    sweep: () => ({ resources: [], removeBytes: async () => 0 }),
  }
  return {
    database,
    content,
    leases,
    gc: createGarbageCollector({ database, leases, collectors: [content.collector, list], log }),
    warnings,
    keep: (digest) => void database.run('INSERT OR IGNORE INTO test_kept (digest) VALUES (?)', digest),
    drop: (digest) => void database.run('DELETE FROM test_kept WHERE digest = ?', digest),
    kept,
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

/** Every kept blob is read whole, which verifies it. */
export async function verifyKept(store: SmallStore): Promise<void> {
  for (const digest of store.kept()) await collect(store.content.read(parseDigest(digest)))
}

/** Puts, ingests, keeps, drops and collects at once and for ever; made to be killed. */
async function writeForEver(root: string): Promise<void> {
  const store = await openSmallStore(root)
  const some = (): number => randomBytes(1)[0] ?? 0
  const write = async (): Promise<void> => {
    await using lease = await store.leases.open('write')
    const put = await store.content.put(randomBytes(1 + some()), lease)
    await using ingest = await store.content.begin(`key ${some() % 40} ${process.pid}`, lease, { resume: some() > 128 })
    for (let chunks = some() % 8; chunks > 0; chunks -= 1) await ingest.write(randomBytes(1 + some() * 64))
    if (some() > 60) store.keep((await ingest.commit()).digest)
    if (some() > 128) store.keep(put.digest)
    if (some() > 200)
      store
        .kept()
        .slice(0, 3)
        .forEach((digest) => store.drop(digest))
  }
  const repeat = async (work: () => Promise<unknown>): Promise<never> => {
    for (;;) {
      await work().catch(rethrowUnlessTaken)
      // A collection without work waits for nothing and would let nobody else run.
      await setImmediate()
    }
  }
  process.stdout.write('writing\n')
  await Promise.all([repeat(write), repeat(write), repeat(write), repeat(() => store.gc.collect())])
}

/** Two writers may draw one key: the second is refused, and tries another. */
function rethrowUnlessTaken(error: unknown): void {
  if (!(error instanceof Error && /is being written already/.test(error.message))) throw error
}

const root = process.argv[2]
if (import.meta.main && root !== undefined) await writeForEver(root)
