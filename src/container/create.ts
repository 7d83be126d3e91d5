import { mkdirSync, rmSync } from 'node:fs'
import { corrupt, invalid, isKind, longId, messageOf } from '#base'
import { attachMounts } from '#kernel'
import type { ImageId } from '#oci'
import { capabilitiesOf } from '#runtime'
import type { Lease } from '#store/lease'
import type { ActiveSnapshot, SnapshotId } from '#store/snapshot'
import { resolveLinks } from './links.ts'
import { inheritMounts, planMounts } from '#container/mount'
import type { PlannedMount } from '#container/mount'
import { resolveNetworks } from './network.ts'
import { emitEvent, folderOf, logOf } from './parts.ts'
import type { Parts } from './parts.ts'
import { clearPlace, placeOf } from '#container/mount'
import { checkLog } from '#container/stream'
import {
  checkName,
  checkTexts,
  type ContainerLink,
  type ContainerRecord,
  type CreateRequest,
  mergeConfig,
  type MergedConfig,
  parseSignal,
  randomName,
} from '#container/record'
import { removeAnonymous } from './remove.ts'

/** Makes a container of a request: image resolved, settings merged, volumes made and seeded, writable snapshot prepared. */
export async function createContainer(
  parts: Parts,
  reserved: Map<string, string>,
  request: CreateRequest,
): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
  const id = longId()
  const name = reserveName(parts, reserved, { id, wanted: request.name })
  try {
    await createNamed(parts, request, { id, name })
    return { id, warnings: [] }
  } finally {
    reserved.delete(name)
  }
}

/** Two creations of one name at a time: the second is refused before either has a record. */
function reserveName(
  parts: Parts,
  reserved: Map<string, string>,
  { id, wanted }: { readonly id: string; readonly wanted: string | undefined },
): string {
  const owner = (name: string): string | undefined => ownerOf(parts, reserved, name)
  const name = wanted === undefined ? randomName((free) => owner(free) !== undefined) : checkName(wanted, owner)
  reserved.set(name, id)
  return name
}

/** The id of the container that has a name, or will have it: `reserved` are the names of those that are being made. */
export function ownerOf(
  { records }: Pick<Parts, 'records'>,
  reserved: ReadonlyMap<string, string>,
  name: string,
): string | undefined {
  return records.findName(name) ?? reserved.get(name)
}

interface Naming {
  readonly id: string
  readonly name: string
}

async function createNamed(parts: Parts, asked: CreateRequest, { id, name }: Naming): Promise<void> {
  const request = await resolveNetworks(parts, asked)
  const image = await parts.images.open((await parts.images.resolve(request.image)).id)
  const merged = mergeConfig(request, image.config.config, id)
  checkTexts(request, merged)
  const links = resolveLinks(parts, request)
  parseSignal(merged.stopSignal)
  checkLog(logOf(parts, request))
  capabilitiesOf({ privileged: request.privileged, add: request.capAdd, drop: request.capDrop }, parts.capabilities)
  const mounts = await plan(parts, request, merged.volumes, id)
  await using lease = await parts.leases.open(`create container ${id}`)
  lease.hold({ kind: 'image', id: image.id })
  try {
    const snapshot = await prepareRoot(parts, { id, chain: image.chain, volatile: request.autoRemove }, lease)
    await seedVolumes(parts, id, snapshot, mounts)
    mkdirSync(folderOf(parts, id), { recursive: true, mode: 0o710 })
    const record = recordOf(parts, { id, name, request, merged, image: image.id, mounts, links })
    parts.records.add({ record, snapshot: snapshot.id, starting: false }, () => useVolumes(parts, id, mounts))
    emitEvent(parts, 'create', record)
  } catch (error) {
    await parts.snapshots.remove(id)
    rmSync(folderOf(parts, id), { recursive: true, force: true })
    await removeAnonymous(parts, id, mounts)
    throw error
  }
}

/** Where that fails, volumes that were made for the container are nobody's again. */
async function plan(
  parts: Parts,
  request: CreateRequest,
  paths: readonly string[],
  id: string,
): Promise<readonly PlannedMount[]> {
  const imageOf = async (name: string): Promise<ImageId> => (await parts.images.resolve(name)).id
  const inherited = (request.volumesFrom ?? []).reduce<readonly PlannedMount[]>(
    (before, { container, readonly }) => inheritMounts(before, lenderOf(parts, container).mounts, readonly),
    [],
  )
  try {
    const { volumes, hostMounts: host } = parts
    return await planMounts(request.mounts, paths, { volumes, host, imageOf, inherited, user: id })
  } catch (error) {
    parts.volumes.release(id)
    throw error
  }
}

/** Not found as Docker says it: a client that reads «not found» would pull the image. */
function lenderOf({ records }: Parts, name: string): ContainerRecord {
  try {
    return records.resolve(name).record
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
    throw invalid(messageOf(error), { cause: error })
  }
}

async function prepareRoot(
  parts: Parts,
  root: {
    readonly id: string
    readonly chain: Parameters<Parts['snapshots']['find']>[0] | undefined
    readonly volatile: boolean
  },
  lease: Lease,
): Promise<ActiveSnapshot> {
  return await parts.snapshots.prepare(root.id, await parentOf(parts, root.chain), lease, { volatile: root.volatile })
}

async function parentOf(
  parts: Parts,
  chain: Parameters<Parts['snapshots']['find']>[0] | undefined,
): Promise<SnapshotId | undefined> {
  if (chain === undefined) return undefined
  const sealed = await parts.snapshots.find(chain)
  if (!sealed) {
    parts.snapshots.assertWhole(chain)
    throw corrupt(`cannot create a container: the unpacked layers ${chain} are missing, pull or build the image again`)
  }
  return sealed.id
}

/** An empty volume gets what the image has at its place; for that the root is mounted for a moment. */
async function seedVolumes(
  parts: Parts,
  id: string,
  snapshot: ActiveSnapshot,
  mounts: readonly PlannedMount[],
): Promise<void> {
  const seeded = mounts.filter((mount) => mount.kind === 'volume' && mount.seeded)
  if (seeded.length === 0) return
  const place = placeOf(parts.config.execRoot, id)
  mkdirSync(place.root, { recursive: true, mode: 0o700 })
  try {
    attachMounts(snapshot.mounts, place.root)
    for (const mount of seeded) await parts.volumes.seed(mount.name ?? '', place.root, mount.destination, id)
  } finally {
    await clearPlace(place)
  }
}

function useVolumes(parts: Parts, id: string, mounts: readonly PlannedMount[]): void {
  for (const mount of mounts) if (mount.kind === 'volume') parts.volumes.use(mount.name ?? '', id)
}

function recordOf(
  parts: Parts,
  made: Naming & {
    readonly request: CreateRequest
    readonly merged: MergedConfig
    readonly image: ImageId
    readonly mounts: readonly PlannedMount[]
    readonly links: readonly ContainerLink[]
  },
): ContainerRecord {
  const { id, name, request, merged, image, mounts, links } = made
  return {
    id,
    name,
    image,
    imageName: request.image,
    createdAt: parts.clock.nanoseconds(),
    request: { ...request, log: logOf(parts, request) },
    ...merged,
    mounts,
    state: 'created',
    pid: 0,
    exitCode: 0,
    error: '',
    startedAt: 0n,
    finishedAt: 0n,
    restartCount: 0,
    endpoints: [],
    ports: [],
    logPath: `${folderOf(parts, id)}/${id}.log`,
    links,
  }
}
