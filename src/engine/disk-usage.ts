import { createSingleFlight, isKind } from '#base'
import type { CacheUsage } from '#builder'
import type { ContainerService } from '#container'
import { cloneMount, closeDescriptor, descriptorPath } from '#kernel'
import { listHubBlobs } from '#hub'
import type { Collector } from '#store/gc'
import { listFootprints } from '#store/snapshot'
import type { Footprint, SurveyedItem, SurveyInput } from '#store/snapshot'
import type { Volumes } from '#volume'
import { findKeepers } from './disk-graph.ts'
import type { Keepers } from './disk-graph.ts'
import { identify } from './disk-items.ts'
import type { FoundItem } from './disk-items.ts'
import type { DiskKind, DiskReport, DiskShare } from './disk-types.ts'
import type { Ground } from './ground.ts'

export interface DiskParts {
  readonly ground: Ground
  readonly containers: ContainerService
  readonly volumes: Volumes
  readonly collectors: readonly Collector[]
  readonly cacheUsage: () => Promise<readonly CacheUsage[]>
}

/** Folders of the data root whose entries are counted one by one; the rooms that own them know what is in each. */
const SPLIT = [
  'builder',
  'builder/contexts',
  'builder/mounts',
  'builder/scripts',
  'containers',
  'content',
  'content/blobs',
  'content/blobs/sha256',
  'content/ingest',
  'snapshots',
  'snapshots/trash',
  'volumes',
  'volumes/_trash',
]

/**
 * Every byte of the data root and who keeps it. Trees that cannot change any more are measured once in their life. Those
 * who ask at the same time share one look.
 */
export function createDiskReporter(parts: DiskParts): (limit?: number) => Promise<DiskReport> {
  const flight = createSingleFlight<DiskReport>()
  return (limit) => flight.run(String(limit), () => reportDisk(parts, limit))
}

async function reportDisk(parts: DiskParts, limit: number | undefined): Promise<DiskReport> {
  const { ground } = parts
  const root = ground.config.dataRoot
  await measureFootprints(parts)
  const known = Object.fromEntries(listFootprints(ground.database).flatMap(knownFolder))
  const surveyed = await survey(ground, { root, split: SPLIT, known })
  const keepers = await keepersNow(parts)
  const items = await identify(parts, surveyed, keepers)
  const largest = items.toSorted((one, other) => other.size - one.size).slice(0, limit)
  return {
    root,
    total: surveyed.reduce((sum, { size }) => sum + size, 0),
    shares: sharesOf(items),
    items: largest.map((item) => ({ ...item, owners: item.owners() })),
    reclaimable: {
      prune: sum(items.filter(({ freedBy }) => freedBy === 'prune')),
      all: sum(items.filter(({ freedBy }) => freedBy !== undefined)),
    },
  }
}

/** Of the disk itself: what volumes have mounted there is not looked at, and may not answer. */
async function survey({ pool }: Pick<Ground, 'pool'>, input: SurveyInput): Promise<readonly SurveyedItem[]> {
  const bare = cloneMount(input.root)
  try {
    return await pool.run('tree.survey', { ...input, root: `${descriptorPath(bare)}/.` }, { lane: 'short' })
  } finally {
    closeDescriptor(bare)
  }
}

function knownFolder({ id, size }: Footprint): readonly (readonly [string, number])[] {
  return size === undefined ? [] : [[`snapshots/${id}/fs`, size]]
}

/** What became immutable since the last time; one that goes meanwhile need not be measured. */
async function measureFootprints({ ground }: DiskParts): Promise<void> {
  const unknown = listFootprints(ground.database).filter(({ isSettled, size }) => isSettled && size === undefined)
  await Promise.all(
    unknown.map(async ({ id }) => {
      try {
        await ground.snapshots.usage(id)
      } catch (error) {
        if (!isKind(error, 'not-found') && !isKind(error, 'internal')) throw error
      }
    }),
  )
}

async function keepersNow({ ground, containers, collectors, cacheUsage }: DiskParts): Promise<Keepers> {
  const trees = new Map(listFootprints(ground.database).map(({ key, id }) => [key, id]))
  return await findKeepers({
    collectors,
    leases: ground.leases,
    images: ground.images,
    containers: await containers.list(),
    snapshotOf: (id) => trees.get(id),
    registryNames: listHubBlobs(ground),
    cacheNames: new Map((await cacheUsage()).map(({ id, description }) => [id, description])),
  })
}

const KINDS: readonly DiskKind[] = [
  'layer',
  'blob',
  'writable',
  'container',
  'volume',
  'cache',
  'registry',
  'download',
  'work',
  'record',
  'leaving',
  'unowned',
]

function sharesOf(items: readonly FoundItem[]): readonly DiskShare[] {
  const groups = Map.groupBy(items, ({ kind }) => kind)
  return KINDS.map((kind) => {
    const group = groups.get(kind) ?? []
    const reclaimable = sum(group.filter(({ freedBy }) => freedBy !== undefined))
    return { kind, count: group.length, size: sum(group), reclaimable }
  })
}

function sum(items: readonly { readonly size: number }[]): number {
  return items.reduce((total, { size }) => total + size, 0)
}
