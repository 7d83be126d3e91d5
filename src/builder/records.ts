import type { Clock } from '#base'
import { parseChainId } from '#oci'
import type { ChainId } from '#oci'
import { readBigInt, readNumber, readOptionalText, readText } from '#store/db'
import type { Database, Row } from '#store/db'
import type { Collector } from '#store/gc'

/** What a step made, kept under the key of what decided it. */
export interface CacheRecord {
  readonly key: string
  /** Key of the step without the contents of files: tells whether it is worth hashing them. */
  readonly prefix: string
  readonly kind: 'run' | 'files' | 'folder' | 'metadata'
  readonly description: string
  /** Everything that went into the key, as JSON: what a miss is explained with. */
  readonly ingredients: string
  /** The root afterwards; absent for metadata and for a root without layers. */
  readonly chain?: ChainId
  /** RFC 3339: the history entry's time, used again so that an equal rebuild gives an equal image. */
  readonly created: string
  /** Bytes of the layer that it made. */
  readonly size: number
  readonly createdAt: bigint
  readonly lastUsedAt: bigint
  readonly usageCount: number
}

/** What a later build takes over. */
export type FoundRecord = Pick<CacheRecord, 'chain' | 'created'>

export type NewRecord = Omit<CacheRecord, 'createdAt' | 'lastUsedAt' | 'usageCount'>

/** The builder's table; short synchronous calls. */
export interface CacheRecords {
  find(key: string): FoundRecord | undefined
  /** True where some record has that prefix. */
  hasPrefix(prefix: string): boolean
  /** The root that the newest record of that prefix made. */
  latestChain(prefix: string): ChainId | undefined
  /** The first record of a key stays; a second of the same key replaces it (its root may be gone). */
  save(record: NewRecord): void
  /** Counts a use of each; the later in the list, the later it was. */
  touch(keys: Iterable<string>): void
  remove(keys: readonly string[]): void
  /** Bytes and count of all records. */
  totals(): { readonly size: number; readonly count: number }
  /** Least recently used first. */
  list(): readonly CacheRecord[]
  chains(): readonly { readonly key: string; readonly chain: ChainId }[]
  chainOf(key: string): ChainId | undefined
}

const COUNT_USE = 'UPDATE builder_record SET last_used_at = ?, usage_count = usage_count + 1 WHERE key = ?'

export function cacheRecords(database: Database, clock: Clock): CacheRecords {
  return {
    find(key) {
      const row = database.get('SELECT chain, created FROM builder_record WHERE key = ?', key)
      return row && { ...chainIn(row), created: readText(row, 'created') }
    },
    hasPrefix: (prefix) => database.get('SELECT 1 FROM builder_record WHERE prefix = ? LIMIT 1', prefix) !== undefined,
    latestChain(prefix) {
      const newest = 'SELECT chain FROM builder_record WHERE prefix = ? AND chain IS NOT NULL ORDER BY created_at DESC'
      const row = database.get(`${newest} LIMIT 1`, prefix)
      return row === undefined ? undefined : parseChainId(readText(row, 'chain'))
    },
    save(record) {
      const now = clock.nanoseconds()
      const { key, prefix, kind, description, ingredients, chain, created, size } = record
      const values = [key, prefix, kind, description, ingredients, chain ?? null, created, size, now, now]
      database.run(
        `INSERT OR REPLACE INTO builder_record (key, prefix, kind, description, ingredients, chain, created, size,
          created_at, last_used_at, usage_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
        ...values,
      )
    },
    touch(keys) {
      let now = clock.nanoseconds()
      database.transaction(() => {
        for (const key of keys) database.run(COUNT_USE, now++, key)
      })
    },
    remove(keys) {
      database.transaction(() => {
        for (const key of keys) database.run('DELETE FROM builder_record WHERE key = ?', key)
      })
    },
    totals() {
      const row = database.get('SELECT count(*) AS count, coalesce(sum(size), 0) AS size FROM builder_record')
      return row === undefined
        ? { size: 0, count: 0 }
        : { size: readNumber(row, 'size'), count: readNumber(row, 'count') }
    },
    list: () =>
      database.all('SELECT * FROM builder_record ORDER BY last_used_at, key').flatMap((row) => recordOf(row) ?? []),
    chains: () =>
      database
        .all('SELECT key, chain FROM builder_record WHERE chain IS NOT NULL')
        .map((row) => ({ key: readText(row, 'key'), chain: parseChainId(readText(row, 'chain')) })),
    chainOf(key) {
      const row = database.get('SELECT chain FROM builder_record WHERE key = ?', key)
      return row && chainIn(row).chain
    },
  }
}

function recordOf(row: Row | undefined): CacheRecord | undefined {
  if (row === undefined) return undefined
  return {
    key: readText(row, 'key'),
    prefix: readText(row, 'prefix'),
    kind: kindOf(readText(row, 'kind')),
    description: readText(row, 'description'),
    ingredients: readText(row, 'ingredients'),
    ...chainIn(row),
    created: readText(row, 'created'),
    size: readNumber(row, 'size'),
    createdAt: readBigInt(row, 'created_at'),
    lastUsedAt: readBigInt(row, 'last_used_at'),
    usageCount: readNumber(row, 'usage_count'),
  }
}

function chainIn(row: Row): { readonly chain?: ChainId } {
  const chain = readOptionalText(row, 'chain')
  return chain === undefined ? {} : { chain: parseChainId(chain) }
}

function kindOf(value: string): CacheRecord['kind'] {
  return value === 'run' || value === 'files' || value === 'folder' ? value : 'metadata'
}

/** Cache records keep the roots that they name. */
export function createCacheCollector(options: { readonly database: Database; readonly clock: Clock }): Collector {
  const records = cacheRecords(options.database, options.clock)
  return {
    roots: () => records.chains().map(({ key }) => ({ kind: 'cache', id: key })),
    *edges(from) {
      const chain = from.kind === 'cache' ? records.chainOf(from.id) : undefined
      if (chain !== undefined) yield { kind: 'snapshot', id: chain }
    },
    sweep: () => ({ resources: [], removeBytes: async () => 0 }),
  }
}
