import type { Clock } from '#base'
import type { EventBus } from '#event'
import type { ChainId, Descriptor, Digest, ImageConfig, ImageId, Reference } from '#oci'
import type { ContentStore } from '#store/content'
import type { Database } from '#store/db'
import type { Lease, Resource } from '#store/lease'

/** A row: an image is its config; its id is the config's digest. */
export interface ImageRecord {
  readonly id: ImageId
  /** The chain id of its topmost layer; absent for an image without layers. */
  readonly chain?: ChainId
  /** Nanoseconds since the epoch when it came into this store. */
  readonly createdAt: bigint
  /** The image it was built or committed from, where that is known here. */
  readonly parent?: ImageId
  /** Nanoseconds since the epoch of its newest name; absent where it has none. */
  readonly taggedAt?: bigint
  /** Names that point here, each with a tag or a digest, never both; sorted by their canonical form. */
  readonly names: readonly Reference[]
  /** Every manifest known of it (as pulled, as pushed), newest first. */
  readonly manifests: readonly Descriptor[]
}

export interface Image extends ImageRecord {
  readonly config: ImageConfig
  /** The config's own bytes, as hashed. */
  readonly configBytes: Uint8Array
}

/** What a name did when it was set. */
export interface TagOptions {
  /** No `tag` event: the name comes with a pull or load, which says so itself. */
  readonly quiet?: boolean
}

export interface Images {
  /**
   * By name, `sha256:` id, 64 hex digits, or a unique prefix of the id (name beats prefix). `not-found` in Docker's
   * words, also where several ids begin with the prefix, or `invalid` where the text is no name.
   */
  resolve(nameOrId: string): Promise<ImageRecord>
  /** With its config. Throws `not-found`. */
  open(id: ImageId): Promise<Image>
  /** Writes the config blob and the record (an existing record gains the facts). All of the image's layers must be sealed. */
  create(config: Uint8Array, facts: ImageFacts, lease: Lease): Promise<Image>
  /** Moves the name when it pointed elsewhere (a digest beats a tag where the name has both). Emits `tag`. */
  tag(name: Reference, image: ImageId, options?: TagOptions): Promise<void>
  /** Emits `untag`. Throws `not-found`. */
  untag(name: Reference): Promise<void>
  /** Remembers a manifest whose bytes are in the content store; its blobs stay as long as the image. */
  addManifest(image: ImageId, manifest: Descriptor): Promise<void>
  /** The image stays; fine where the manifest is not known. */
  forgetManifest(image: ImageId, manifest: Digest): Promise<void>
  /** Removes the record (`conflict` while a name is left); bytes go with the next collection. Emits `delete`. */
  remove(id: ImageId): Promise<void>
  /** Newest first. */
  list(): Promise<readonly ImageRecord[]>
  /**
   * Newest first, with their configs; the same objects as long as nothing has changed. Left out are those whose config is
   * damaged: a check names them.
   */
  openAll(): Promise<readonly Image[]>
  /** By its id or by the digest of a manifest known of it. */
  findByDigest(digest: Digest): Promise<ImageRecord | undefined>
  /** The image that this very name points to. */
  findByName(name: Reference): Promise<ImageRecord | undefined>
}

export interface ImageFacts {
  readonly parent?: ImageId
  /** As in `addManifest`. */
  readonly manifest?: Descriptor
}

export interface ImagesOptions {
  readonly database: Database
  readonly content: Pick<ContentStore, 'read' | 'put'>
  readonly events: Pick<EventBus, 'emit'>
  readonly clock: Clock
}

/** This room's part in a collection (the shape of #store/gc's `Collector`): every image record is a root. */
export interface ImageCollector {
  roots(): Iterable<Resource>
  /**
   * Of an image: its config, manifests and the blobs these name, and a `snapshot` whose id is the chain id of the
   * topmost layer (store/snapshot's collector leads on from there).
   */
  edges(from: Resource): Iterable<Resource>
  /** `edges` of this very moment, read at once: for who asks about everything in one turn. */
  edgesNow(): (from: Resource) => Iterable<Resource>
  /** Nothing: an image lives until it is removed. */
  sweep(live: ReadonlySet<string>): { readonly resources: readonly Resource[]; removeBytes(): Promise<number> }
}
