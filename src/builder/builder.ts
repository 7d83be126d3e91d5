import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createLimiter } from '#base'
import { chainIds } from '#oci'
import { build, stepLimit } from './build.ts'
import type { Workshop } from './build.ts'
import { createFlights } from './flights.ts'
import { cacheRecords } from './records.ts'
import type { CacheRecord } from './records.ts'
import { removeLeftovers } from './scratch-mount.ts'
import type { BuilderParts } from './session.ts'
import type { Builder, CachePrune, CacheUsage } from './types.ts'

/** Bytes of layers that the cache keeps where nothing else is said. */
const DEFAULT_LIMIT = 20 * 1024 ** 3
/** Records of steps without layers are small, but not free. */
const MAX_RECORDS = 50_000

export function createBuilder(parts: BuilderParts): Builder {
  const records = cacheRecords(parts.database, parts.clock)
  const workshop: Workshop = {
    parts,
    records,
    flights: createFlights(),
    hashes: new Map(),
    limiter: createLimiter(stepLimit()),
    folder: join(parts.dataRoot, 'builder'),
    active: 0,
    inUse: new Map(),
  }
  return {
    async restore() {
      await mkdir(workshop.folder, { recursive: true, mode: 0o700 })
      await removeLeftovers(workshop.folder)
    },
    async build(request, options) {
      try {
        return await build(workshop, request, options)
      } finally {
        keepBounded(workshop)
      }
    },
    prune: (options) => pruneCache(workshop, options),
    forget(chains) {
      const lost = records.chains().filter(({ chain }) => chains.has(chain))
      records.remove(lost.map(({ key }) => key))
      return lost.length
    },
    async cacheUsage() {
      const shared = await imageChains(workshop)
      return records.list().map((record) => usageOf(record, shared, workshop.inUse.has(record.key)))
    },
  }
}

async function pruneCache(
  workshop: Workshop,
  { all, until, chosen, keepBytes = 0 }: CachePrune,
): Promise<{ readonly removed: readonly string[]; readonly bytes: number }> {
  const { records, inUse } = workshop
  const shared = await imageChains(workshop)
  const isShared = ({ chain }: CacheRecord): boolean => chain !== undefined && shared.has(chain)
  const candidates = records
    .list()
    .filter((record) => all || !isShared(record))
    .filter((record) => until === undefined || record.lastUsedAt < until)
    .filter((record) => !inUse.has(record.key) && (chosen?.(usageOf(record, shared, false)) ?? true))
  let left = records.totals().size
  const gone = candidates.filter((record) => {
    const goes = keepBytes === 0 || left > keepBytes
    if (goes) left -= record.size
    return goes
  })
  records.remove(gone.map((record) => record.key))
  const bytes = sizeOf(gone.filter((record) => record.chain !== undefined && !isShared(record)))
  return { removed: gone.map((record) => record.key), bytes }
}

async function imageChains(workshop: Workshop): Promise<ReadonlySet<string>> {
  const { images } = workshop.parts
  const chains = new Set<string>()
  for (const image of await images.openAll()) {
    for (const chain of chainIds(image.config.rootfs.diff_ids)) chains.add(chain)
  }
  return chains
}

function usageOf(record: CacheRecord, shared: ReadonlySet<string>, inUse: boolean): CacheUsage {
  return {
    id: record.key,
    description: record.description,
    size: record.size,
    createdAt: record.createdAt,
    lastUsedAt: record.lastUsedAt,
    usageCount: record.usageCount,
    inUse,
    shared: record.chain !== undefined && shared.has(record.chain),
  }
}

/** Bytes of layers, each counted once. */
function sizeOf(chosen: readonly CacheRecord[]): number {
  const sizes = new Map(chosen.map((record) => [record.chain, record.size]))
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

/** The least recently used records go first, but for those in use; bytes go with the next collection. */
function keepBounded(workshop: Workshop): void {
  const limit = workshop.parts.cacheLimit ?? DEFAULT_LIMIT
  let { size, count } = workshop.records.totals()
  if (size <= limit && count <= MAX_RECORDS) return
  const removed: string[] = []
  for (const record of workshop.records.list()) {
    if (size <= limit && count <= MAX_RECORDS) break
    if (workshop.inUse.has(record.key)) continue
    removed.push(record.key)
    size -= record.size
    count -= 1
  }
  workshop.records.remove(removed)
}
