import type { ChainId, Descriptor, Digest, ImageConfig, ImageId, Reference } from '#oci'
import type { Lease } from '#store/lease'

/** A row: an image is its config; its id is the config's digest. */
export interface ImageRecord {
  readonly id: ImageId
  /** The chain id of its topmost layer; absent for an image without layers. */
  readonly chain?: ChainId
  /** Nanoseconds since the epoch when it came into this store. */
  readonly createdAt: bigint
  /** The image it was built or committed from, where that is known here. */
  readonly parent?: ImageId
  /** Names that point here (with tag or digest), sorted. */
  readonly names: readonly Reference[]
  /** Every manifest known of it (as pulled, as pushed). */
  readonly manifests: readonly Descriptor[]
}

export interface Image extends ImageRecord {
  readonly config: ImageConfig
  /** The config's own bytes, as hashed. */
  readonly configBytes: Uint8Array
}

export interface Images {
  /** By name, `sha256:` id, or a unique prefix of the id (name beats prefix). `not-found`, or `invalid` when ambiguous. */
  resolve(nameOrId: string): Promise<ImageRecord>
  open(id: ImageId): Promise<Image>
  /** Writes the config blob and the record (an existing record gains the facts). All of the image's layers must be sealed. */
  create(
    config: Uint8Array,
    facts: { readonly parent?: ImageId; readonly manifest?: Descriptor },
    lease: Lease,
  ): Promise<Image>
  /** Moves the name when it pointed elsewhere. Emits `tag`. */
  tag(name: Reference, image: ImageId): Promise<void>
  untag(name: Reference): Promise<void>
  addManifest(image: ImageId, manifest: Descriptor): Promise<void>
  /** Removes the record (its names first must be gone); bytes go with the next collection. */
  remove(id: ImageId): Promise<void>
  list(): Promise<readonly ImageRecord[]>
  findByDigest(digest: Digest): Promise<ImageRecord | undefined>
}
