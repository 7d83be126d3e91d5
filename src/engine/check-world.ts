import type { Builder } from '#builder'
import type { ContainerRecord, ContainerService } from '#container'
import { type HubBlob, listHubBlobs } from '#hub'
import { chainIds, configDigest, familiarReference, MEDIA_TYPES } from '#oci'
import type { ChainId, Descriptor, Digest, ImageId, Reference } from '#oci'
import type { BlobInfo } from '#store/content'
import type { ImageRecord } from '#store/image'
import type { LayerRecord } from '#store/layer'
import type { SnapshotId, SnapshotState } from '#store/snapshot'
import type { Transfer } from '#transfer'
import type { Volumes } from '#volume'
import type { Ground } from './ground.ts'

export interface CheckParts {
  readonly ground: Ground
  readonly transfer: Transfer
  readonly containers: ContainerService
  readonly volumes: Volumes
  readonly builds: Builder
  readonly collectSoon: () => void
}

/** The records at one moment, and who needs what. */
export interface World {
  readonly images: readonly ImageRecord[]
  readonly containers: readonly ContainerRecord[]
  readonly layers: readonly LayerRecord[]
  readonly blobs: ReadonlyMap<Digest, BlobInfo>
  readonly snapshots: ReadonlyMap<SnapshotId, SnapshotState>
  /** Whose layers include a tree. */
  readonly users: ReadonlyMap<SnapshotId, readonly ImageRecord[]>
  /** What the own registry must have. */
  readonly registry: ReadonlyMap<Digest, HubBlob>
  /** Everything that must be there, as far as it is known what it is. */
  readonly wanted: ReadonlyMap<Digest, WantedBlob>
}

export type BlobRole = 'manifest' | 'config' | 'layer' | 'other'

export interface WantedBlob {
  readonly role: BlobRole
  /** The size is 0 where nobody knows it. */
  readonly descriptor: Descriptor
  readonly images: readonly ImageRecord[]
}

export async function takeWorld({ ground, containers }: CheckParts): Promise<World> {
  const { images, layers, content, snapshots } = ground
  const states = new Map((await snapshots.list()).map((state) => [state.id, state]))
  const records = await images.list()
  const world = {
    images: records,
    users: usersOf({ images: records, snapshots: states }),
    containers: await containers.list(),
    layers: await layers.list(),
    blobs: new Map((await content.list()).map((blob) => [blob.digest, blob])),
    snapshots: states,
    registry: listHubBlobs(ground),
  }
  return { ...world, wanted: wantedBlobs(world) }
}

/** Manifests first, then configs, then layers: of each the ones before tell where it is. */
function wantedBlobs(world: Omit<World, 'wanted'>): ReadonlyMap<Digest, WantedBlob> {
  const wanted = new Map<Digest, WantedBlob>()
  const add = (role: BlobRole, descriptor: Descriptor, images: readonly ImageRecord[]): void => {
    const before = wanted.get(descriptor.digest)
    wanted.set(descriptor.digest, {
      role: before?.role ?? role,
      descriptor: before?.descriptor ?? descriptor,
      images: [...new Set([...(before?.images ?? []), ...images])],
    })
  }
  for (const image of world.images) for (const manifest of image.manifests) add('manifest', manifest, [image])
  for (const image of world.images) {
    const digest = configDigest(image.id)
    add('config', { mediaType: MEDIA_TYPES.ociConfig, digest, size: world.blobs.get(digest)?.size ?? 0 }, [image])
  }
  for (const layer of world.layers) {
    const images = imagesOn(world, layer.snapshot)
    // one that a collection took is forgotten with it
    for (const blob of layer.blobs) add('layer', blob, images)
  }
  return wanted
}

/** A snapshot and all below it, topmost first. */
function stackOf({ snapshots }: Pick<World, 'snapshots'>, id: SnapshotId | undefined): readonly SnapshotState[] {
  const stack: SnapshotState[] = []
  for (let at = id; at !== undefined;) {
    const state = snapshots.get(at)
    if (!state) break
    stack.push(state)
    at = state.parent
  }
  return stack
}

/** Images whose layers include this tree. */
export function imagesOn({ users }: Pick<World, 'users'>, snapshot: SnapshotId): readonly ImageRecord[] {
  return users.get(snapshot) ?? []
}

function usersOf(world: Pick<World, 'images' | 'snapshots'>): ReadonlyMap<SnapshotId, readonly ImageRecord[]> {
  const tops = new Map([...world.snapshots.values()].map((state) => [state.chain, state.id]))
  const users = new Map<SnapshotId, ImageRecord[]>()
  for (const image of world.images) {
    if (image.chain === undefined) continue
    for (const { id } of stackOf(world, tops.get(image.chain))) users.set(id, [...(users.get(id) ?? []), image])
  }
  return users
}

/** Containers whose root stands on this tree. */
export function containersOn(world: World, snapshot: SnapshotId): readonly ContainerRecord[] {
  const tops = new Map([...world.snapshots.values()].map((state) => [state.key, state.id]))
  return world.containers.filter((container) =>
    stackOf(world, tops.get(container.id)).some((state) => state.id === snapshot),
  )
}

/** As a person knows it: a tag, else a name with digest, else the short id. */
export function nameOf({ id, names }: Pick<ImageRecord, 'id' | 'names'>): string {
  const name = names.find(({ tag }) => tag !== undefined) ?? names[0]
  return name === undefined ? shortOf(id) : familiarReference(name)
}

function shortOf(id: ImageId): string {
  return id.slice('sha256:'.length, 'sha256:'.length + 12)
}

/** Repositories that are known to have had these images: a name with a digest was given by a registry, or sent to one. */
export function repositoriesOf(images: readonly ImageRecord[]): readonly Reference[] {
  return images.flatMap((image) => image.names).filter((name) => name.digest !== undefined)
}

/** Chain ids of an image, bottom first; empty where its config cannot be read. */
export async function chainsOf({ images }: Ground, id: ImageId): Promise<readonly ChainId[]> {
  const { config } = await images.open(id)
  return chainIds(config.rootfs.diff_ids)
}
