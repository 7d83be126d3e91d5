import { abbreviate } from '#base'
import type { ContainerRecord } from '#container'
import { familiarReference } from '#oci'
import { traceGraph } from '#store/gc'
import type { Collector, Graph } from '#store/gc'
import type { ImageRecord, Images } from '#store/image'
import type { Leases, Resource } from '#store/lease'
import { resourceKey } from '#store/lease'
import type { DiskOwner } from './disk-types.ts'
import { isAlive } from './remove-image.ts'

/** Who keeps what of the store, at one moment. */
export interface Keepers {
  /** Reachable from images; from containers; from cache records; from work under way; from anything. */
  readonly images: ReadonlySet<string>
  readonly containers: ReadonlySet<string>
  readonly caches: ReadonlySet<string>
  readonly leases: ReadonlySet<string>
  readonly all: ReadonlySet<string>
  /** What would still be reachable after `system prune`, and after it with `-a`. */
  readonly afterPrune: ReadonlySet<string>
  readonly afterAll: ReadonlySet<string>
  /** Everybody who keeps a resource, images first. */
  ownersOf(key: string): readonly DiskOwner[]
}

export interface KeeperParts {
  readonly collectors: readonly Collector[]
  readonly leases: Leases
  readonly images: Pick<Images, 'list'>
  readonly containers: readonly ContainerRecord[]
  /** The writable snapshot of a container. */
  readonly snapshotOf: (container: string) => string | undefined
  /** What the own registry must have, with the names of it. */
  readonly registryNames: ReadonlyMap<string, { readonly names: readonly string[] }>
  /** What a cache record is for. */
  readonly cacheNames: ReadonlyMap<string, string>
}

/** One who holds resources, as a set of keys. */
interface Holder {
  readonly owner: DiskOwner
  readonly keys: readonly string[]
  /** Stays after a prune; after one with `-a`. */
  readonly stays: { readonly prune: boolean; readonly all: boolean }
}

export async function findKeepers(parts: KeeperParts): Promise<Keepers> {
  const holders = holdersOf(parts, await parts.images.list())
  const known = new Set(holders.flatMap((holder) => holder.keys))
  const roots = [...parts.collectors.flatMap((collector) => [...collector.roots()]), ...parts.leases.held()]
  const graph = await traceGraph(roots, function* (from) {
    for (const collector of parts.collectors) yield* collector.edges(from)
  })
  const others = roots
    .filter((root) => root.kind === 'blob' && !known.has(resourceKey(root)))
    .map((root) => registryHolder(root, parts))
  return keepersOf(graph, [...holders, ...others])
}

function keepersOf(graph: Graph, holders: readonly Holder[]): Keepers {
  const reach = (wanted: (holder: Holder) => boolean): ReadonlySet<string> =>
    graph.reach(holders.filter(wanted).flatMap((holder) => holder.keys))
  const ofKind = (kind: DiskOwner['kind']) => reach(({ owner }) => owner.kind === kind)
  const holding = new Map<string, Holder[]>()
  for (const holder of holders) for (const key of holder.keys) holding.set(key, [...(holding.get(key) ?? []), holder])
  return {
    images: ofKind('image'),
    containers: ofKind('container'),
    caches: ofKind('cache'),
    leases: ofKind('lease'),
    all: new Set(graph.resources.keys()),
    afterPrune: reach(({ stays }) => stays.prune),
    afterAll: reach(({ stays }) => stays.all),
    ownersOf: (key) => ownersOf(graph, holding, key),
  }
}

const ORDER: readonly DiskOwner['kind'][] = ['image', 'container', 'cache', 'registry', 'lease']

/** Against the references, up to those who hold. */
function ownersOf(graph: Graph, holding: ReadonlyMap<string, readonly Holder[]>, key: string): readonly DiskOwner[] {
  const found = new Set<DiskOwner>()
  const seen = new Set<string>()
  const waiting = [key]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    for (const { owner } of holding.get(next) ?? []) found.add(owner)
    waiting.push(...graph.referrers(next))
  }
  return [...found].toSorted((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind))
}

function holdersOf(parts: KeeperParts, images: readonly ImageRecord[]): readonly Holder[] {
  const live = new Set(parts.containers.filter(isAlive).map(({ image }) => image))
  const parents = new Set(images.map(({ parent }) => parent))
  const imageHolders = images.map((image): Holder => {
    const isNamed = image.names.some((name) => name.tag !== undefined) || parents.has(image.id)
    return {
      owner: { kind: 'image', id: image.id, name: nameOf(image) },
      keys: [resourceKey({ kind: 'image', id: image.id })],
      stays: { prune: isNamed || live.has(image.id), all: live.has(image.id) },
    }
  })
  const leaseHolders = parts.leases.list().map((lease): Holder => {
    const stays = { prune: true, all: true }
    return {
      owner: { kind: 'lease', id: lease.id, name: lease.purpose },
      keys: lease.resources.map(resourceKey),
      stays,
    }
  })
  return [
    ...imageHolders,
    ...parts.containers.map((one) => containerHolder(parts, one)),
    ...caches(parts),
    ...leaseHolders,
  ]
}

function nameOf({ id, names }: ImageRecord): string {
  return names.length > 0 ? names.map(familiarReference).join(', ') : abbreviate(id)
}

function containerHolder({ snapshotOf }: KeeperParts, container: ContainerRecord): Holder {
  const snapshot = snapshotOf(container.id)
  const held: readonly Resource[] = [
    { kind: 'image', id: container.image },
    ...(snapshot === undefined ? [] : [{ kind: 'snapshot', id: snapshot } as const]),
  ]
  const alive = isAlive(container)
  return {
    owner: { kind: 'container', id: container.id, name: container.name },
    keys: held.map(resourceKey),
    stays: { prune: alive, all: alive },
  }
}

function caches({ cacheNames }: KeeperParts): readonly Holder[] {
  return [...cacheNames].map(([id, name]) => ({
    owner: { kind: 'cache', id, name },
    keys: [resourceKey({ kind: 'cache', id })],
    stays: { prune: false, all: false },
  }))
}

/** Roots that are nobody else's are what the registry of this daemon offers. */
function registryHolder(root: Resource, { registryNames }: Pick<KeeperParts, 'registryNames'>): Holder {
  const names = registryNames.get(root.id)?.names ?? ['pushed, and named by no manifest yet']
  return {
    owner: { kind: 'registry', id: root.id, name: names.join(', ') },
    keys: [resourceKey(root)],
    stays: { prune: true, all: true },
  }
}
