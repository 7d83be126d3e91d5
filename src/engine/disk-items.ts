import { basename, dirname } from 'node:path'
import type { ContainerRecord, ContainerService } from '#container'
import { resourceKey } from '#store/lease'
import type { Resource } from '#store/lease'
import { listFootprints } from '#store/snapshot'
import type { Footprint, SurveyedItem } from '#store/snapshot'
import type { VolumeRecord, Volumes } from '#volume'
import type { Keepers } from './disk-graph.ts'
import type { DiskItem, DiskKind, DiskOwner } from './disk-types.ts'
import type { Ground } from './ground.ts'
import { isAlive } from './remove-image.ts'

export interface IdentifyParts {
  readonly ground: Ground
  readonly containers: ContainerService
  readonly volumes: Volumes
}

/** What is recorded, to be compared with what lies on the disk. */
interface Records {
  readonly keepers: Keepers
  readonly trees: ReadonlyMap<string, Footprint>
  readonly blobs: ReadonlySet<string>
  /** Keys by the name of the file. */
  readonly ingests: ReadonlyMap<string, { readonly key: string; readonly isOpen: boolean }>
  readonly containers: ReadonlyMap<string, ContainerRecord>
  readonly volumes: ReadonlyMap<string, VolumeRecord>
  readonly usersOf: (volume: string) => readonly ContainerRecord[]
}

/** Whose an item is; who keeps it is looked up only for those that are shown. */
type Facts = Omit<DiskItem, 'path' | 'size' | 'owners'> & { readonly owners: () => readonly DiskOwner[] }

export type FoundItem = Facts & Pick<DiskItem, 'path' | 'size'>

/** Says of each thing on the disk whose it is. */
export async function identify(
  parts: IdentifyParts,
  surveyed: readonly SurveyedItem[],
  keepers: Keepers,
): Promise<readonly FoundItem[]> {
  const records = await readRecords(parts, keepers)
  return surveyed.map((item) => ({ path: item.path, size: item.size, ...factsOf(records, item) }))
}

async function readRecords({ ground, containers, volumes }: IdentifyParts, keepers: Keepers): Promise<Records> {
  const all = new Map((await containers.list()).map((container) => [container.id, container]))
  return {
    keepers,
    trees: new Map(listFootprints(ground.database).map((tree) => [tree.id, tree])),
    blobs: new Set((await ground.content.list()).map(({ digest }) => digest)),
    ingests: new Map(ground.content.ingests().map(({ file, key, isOpen }) => [file, { key, isOpen }])),
    containers: all,
    volumes: new Map((await volumes.list()).map((volume) => [volume.name, volume])),
    usersOf: (volume) => volumes.users(volume).flatMap((id) => all.get(id) ?? []),
  }
}

function factsOf(records: Records, { path, split }: SurveyedItem): Facts {
  const name = basename(path)
  if (split) return plain('record', path)
  switch (dirname(path)) {
    case 'content/blobs/sha256':
      return blobFacts(records, `sha256:${name}`)
    case 'content/ingest':
      return ingestFacts(records, name)
    case 'snapshots':
      return treeFacts(records, name)
    case 'containers':
      return containerFacts(records, name)
    case 'volumes':
      return volumeFacts(records, name)
    case 'snapshots/trash':
    case 'volumes/_trash':
      return plain('leaving', name)
    case 'builder/contexts':
    case 'builder/mounts':
    case 'builder/scripts':
      return plain('work', path)
    case 'builder':
      return plain('cache', path)
    default:
      return plain(RECORDS.test(path) ? 'record' : 'unowned', path)
  }
}

/** What the engine itself keeps at the top of its data root. */
const RECORDS =
  /^(engine\.db(-wal|-shm|-journal|\.copy|\.sum|\.new|\.damaged-.*)?|engine-id|lock|lost-\d+|mount-points)$/

function plain(kind: DiskKind, id: string): Facts {
  return { kind, id, owners: () => [] }
}

function blobFacts({ keepers, blobs }: Records, digest: string): Facts {
  if (!blobs.has(digest)) return plain('leaving', digest)
  return kept(keepers, { kind: 'blob', id: digest }, { id: digest, ofImage: 'blob' })
}

function treeFacts({ keepers, trees, containers }: Records, id: string): Facts {
  const tree = trees.get(id)
  if (!tree) return plain('leaving', id)
  const container = tree.key === undefined ? undefined : containers.get(tree.key)
  if (container) return { kind: 'writable', id: container.id, ...ofContainer(container) }
  return kept(keepers, { kind: 'snapshot', id }, { id: tree.chain ?? tree.key ?? id, ofImage: 'layer' })
}

/** Of the store's resources: whoever keeps it says what kind it is. */
function kept(
  keepers: Keepers,
  resource: Resource,
  what: { readonly id: string; readonly ofImage: 'layer' | 'blob' },
): Facts {
  const key = resourceKey(resource)
  if (!keepers.all.has(key)) return plain('leaving', what.id)
  const owners = (): readonly DiskOwner[] => keepers.ownersOf(key)
  return { kind: kindOf(keepers, key, what.ofImage), id: what.id, owners, ...freed(keepers, key) }
}

function kindOf(keepers: Keepers, key: string, ofImage: 'layer' | 'blob'): DiskKind {
  if (keepers.images.has(key) || keepers.containers.has(key)) return ofImage
  if (keepers.caches.has(key)) return 'cache'
  return keepers.leases.has(key) ? 'work' : 'registry'
}

function freed(keepers: Keepers, key: string): Pick<DiskItem, 'freedBy'> {
  if (!keepers.afterPrune.has(key)) return { freedBy: 'prune' }
  return keepers.afterAll.has(key) ? {} : { freedBy: 'all' }
}

function ingestFacts({ ingests, keepers }: Records, file: string): Facts {
  const ingest = ingests.get(file)
  // Small blobs are written beside the ingests for a moment, without a record.
  if (!ingest) return plain('work', file)
  if (ingest.isOpen || keepers.leases.has(resourceKey({ kind: 'ingest', id: ingest.key })))
    return plain('work', ingest.key)
  return { kind: 'download', id: ingest.key, owners: () => [], freedBy: 'all' }
}

function containerFacts({ containers }: Records, id: string): Facts {
  const container = containers.get(id)
  return container ? { kind: 'container', id, ...ofContainer(container) } : plain('work', id)
}

function ofContainer(container: ContainerRecord): Pick<Facts, 'owners' | 'freedBy'> {
  return { owners: () => [ownerOf(container)], ...(!isAlive(container) && { freedBy: 'prune' }) }
}

function ownerOf({ id, name }: ContainerRecord): DiskOwner {
  return { kind: 'container', id, name }
}

/** Volumes with data and without a record stay until somebody asks for them by name. */
function volumeFacts({ volumes, usersOf }: Records, name: string): Facts {
  if (!volumes.has(name)) return plain('unowned', `volumes/${name}`)
  const users = usersOf(name)
  const isFree = users.every((container) => !isAlive(container))
  return { kind: 'volume', id: name, owners: () => users.map(ownerOf), ...(isFree && { freedBy: 'all' }) }
}
