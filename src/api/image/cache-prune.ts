import { invalid } from '#base'
import type { Engine } from '#engine'
import { filterFlag, type Filters } from '#wire'
import { type Exchange, parseUntil, type Query, wallClock } from '#api/exchange'

type CachePrune = Parameters<Engine['builds']['prune']>[0]
type CacheUsage = Parameters<NonNullable<CachePrune['chosen']>>[0]

/** POST /build/prune. Filters that are not known here are passed over, as Docker does. */
export async function pruneCache(
  { builds, system }: Pick<Engine, 'builds' | 'system'>,
  exchange: Exchange,
): Promise<void> {
  const { query, reply } = exchange
  const limits = limitsOf(query)
  const filters = query.filters()
  const until = untilOf(filters)
  const isChosen = chooserOf(filters)
  const used = (await builds.cacheUsage()).reduce((sum, { size }) => sum + size, 0)
  const keepBytes = await keptBytes(limits, used, () => system.freeBytes())
  const { removed, bytes } = await builds.prune({
    all: query.flag('all'),
    ...(until !== undefined && { until }),
    chosen: isChosen,
    keepBytes,
  })
  reply(200, { CachesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: bytes })
}

interface Limits {
  /** What is never gone below, in bytes; the most that may stay; what the disk is to have free. */
  readonly reserved: number
  readonly most: number
  readonly free: number
}

function limitsOf(query: Query): Limits {
  const reserved = bytesIn(query, 'reserved-space')
  return {
    reserved: reserved === 0 ? bytesIn(query, 'keep-storage') : reserved,
    most: bytesIn(query, 'max-used-space'),
    free: bytesIn(query, 'min-free-space'),
  }
}

function bytesIn(query: Query, name: string): number {
  const text = query.text(name)
  if (text === undefined) return 0
  if (!/^[-+]?\d{1,15}$/.test(text))
    throw invalid(
      `${name} is in bytes and expects an integer, got ${text}: strconv.Atoi: parsing "${text}": invalid syntax`,
    )
  return Number(text)
}

/** How much of the cache may stay; 0 where nothing says so. */
async function keptBytes(
  { reserved, most, free }: Limits,
  used: number,
  freeBytes: () => Promise<number>,
): Promise<number> {
  const excess = free === 0 ? 0 : free - (await freeBytes())
  const bounds = [...(most > 0 ? [most] : []), ...(excess > 0 ? [used - excess] : [])]
  if (bounds.length === 0 && free > 0) return Math.max(used, reserved)
  return Math.max(bounds.length === 0 ? 0 : Math.min(...bounds), reserved)
}

function untilOf(filters: Filters): bigint | undefined {
  const text = one(filters, 'until') ?? one(filters, 'unused-for')
  if (text === undefined) return undefined
  try {
    return parseUntil(text, wallClock())
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw invalid(
      `failed to prune build cache: "until" filter expects a duration (e.g., '24h') or a timestamp: ${why}`,
      { cause: error },
    )
  }
}

function one(filters: Filters, name: string): string | undefined {
  const values = filters.get(name) ?? []
  if (values.length > 1) throw invalid('failed to prune build cache: filters expect only one value')
  return values[0]
}

function chooserOf(filters: Filters): (record: CacheUsage) => boolean {
  const [id, type, description] = [one(filters, 'id'), one(filters, 'type'), one(filters, 'description')]
  const flags = {
    inuse: flagOf(filters, 'inuse'),
    shared: flagOf(filters, 'shared'),
    isPrivate: flagOf(filters, 'private'),
  }
  return (record) =>
    (id === undefined || record.id.startsWith(id)) &&
    (type === undefined || type === 'regular') &&
    (description === undefined || record.description === description) &&
    (flags.inuse ?? record.inUse) === record.inUse &&
    (flags.shared ?? record.shared) === record.shared &&
    (flags.isPrivate ?? !record.shared) === !record.shared
}

/** A filter without a value asks for those that have the property. */
function flagOf(filters: Filters, name: string): boolean | undefined {
  if (filters.get(name)?.length === 0) return true
  one(filters, name)
  return filterFlag(filters, name, undefined)
}
