import type { Bytes, Clock } from '#base'
import type { Filters } from '#archive'
import type { EventBus } from '#event'
import type { Descriptor, ImageId, Platform, Reference, RunConfig } from '#oci'
import type { Credentials, RegistryFor } from '#registry'
import type { ContentStore } from '#store/content'
import type { Image, ImageRecord, Images } from '#store/image'
import type { Layers } from '#store/layer'
import type { Lease, Leases } from '#store/lease'
import type { Snapshots } from '#store/snapshot'

/** What happens to one layer or to the whole, in the words of Docker's progress lines. */
export interface TransferProgress {
  /** 12 hex digits of a layer, a tag, or absent for the whole. */
  readonly id?: string
  /** `Pulling fs layer`, `Downloading`, `Verifying Checksum`, `Download complete`, `Extracting`, `Pull complete`, `Already exists`, `Digest: …`, `Status: …` */
  readonly status: string
  readonly current?: number
  readonly total?: number
}

export type ProgressSink = (progress: TransferProgress) => void

export interface TransferOptions {
  readonly credentials?: Credentials
  readonly platform?: Platform
  readonly progress?: ProgressSink
  readonly signal?: AbortSignal
}

/** How layers are packed for a registry. */
export type PushCompression = 'gzip' | 'zstd'

export interface PushOptions extends Omit<TransferOptions, 'platform'> {
  /** Layers of this form alone, under an OCI manifest; without, a manifest the image is known by, else gzip. */
  readonly compression?: PushCompression
}

export interface RefetchOptions {
  readonly names: readonly Reference[]
  readonly credentialsFor?: ((domain: string) => Credentials | undefined) | undefined
  readonly lease: Lease
  readonly signal?: AbortSignal | undefined
}

export interface LoadOutcome {
  readonly image: ImageRecord
  /** The name it was loaded under, where the archive gave one. */
  readonly name?: Reference
  /** Whose name it was before. */
  readonly replaced?: ImageId
}

export interface LoadOptions {
  readonly progress?: ProgressSink
  readonly signal?: AbortSignal
  /** Images for others are passed over; of an index the one for it is taken, else the one for this host. */
  readonly platform?: Platform
}

export interface SaveOptions {
  readonly signal?: AbortSignal
  /** An image for another is refused, in Docker's words. */
  readonly platform?: Platform
}

export interface ImportOptions {
  readonly name?: Reference
  readonly message?: string
  /** Dockerfile lines; applied by the caller through `changes`. */
  readonly changes?: (config: RunConfig) => RunConfig
  readonly platform?: Platform
  readonly signal?: AbortSignal
}

export interface Transfer {
  /** Mirrors first; what is here already is not fetched again. `not-found` in Docker's words. Emits `pull`. */
  pull(name: Reference, options?: TransferOptions): Promise<Image>
  /** Every tag of the repository. */
  pullAll(repository: Reference, options?: TransferOptions): Promise<readonly Image[]>
  /** What was pulled goes out with the digest it came with; a layer made here is packed once. Emits `push`. */
  push(name: Reference, options?: PushOptions): Promise<Descriptor>
  /** Every tag of the repository that is here. */
  pushAll(repository: Reference, options?: PushOptions): Promise<readonly Descriptor[]>
  /**
   * The manifest by which a registry of our own offers an image: one it is known by whose blobs are all here, else one
   * of its layers, packed now. The lease holds the manifest, its blobs and the image.
   */
  manifestFor(image: ImageId, lease: Lease, signal?: AbortSignal): Promise<Descriptor>
  /** One tar: the OCI layout plus `manifest.json` and `repositories`, deterministic. A name without tag means all its tags. */
  save(names: readonly string[], options?: SaveOptions): Bytes
  /** Docker's archives (old and new) and OCI layouts, plain or compressed. Nothing is written by a name out of the archive. */
  load(bytes: Bytes, options?: LoadOptions): Promise<readonly LoadOutcome[]>
  /**
   * A blob that is not here (a config, a layer, a manifest), by its digest, from one of the repositories of these names; gives
   * where it was found. Throws `not-found` where none of them has it.
   */
  refetch(blob: Descriptor, options: RefetchOptions): Promise<string>
  /** A plain root file system tar becomes an image of one layer. */
  importRoot(bytes: Bytes, options: ImportOptions): Promise<Image>
}

/** What a transfer is made of. */
export interface TransferParts {
  readonly registryFor: RegistryFor
  readonly content: ContentStore
  readonly snapshots: Pick<Snapshots, 'find'>
  readonly layers: Pick<Layers, 'apply' | 'list' | 'unpack' | 'find' | 'pack' | 'tar'>
  readonly images: Images
  readonly leases: Leases
  readonly events: Pick<EventBus, 'emit'>
  readonly clock: Clock
  /** Programs for compressed archives that node itself cannot read. */
  readonly filters?: Filters
  readonly limits?: TransferLimits
}

export interface TransferLimits {
  /** Layers on their way in, over all pulls. */
  readonly downloads: number
  /** Layers on their way out, over all pushes. */
  readonly uploads: number
  /** Attempts of a download or upload in a row that moved nothing. */
  readonly attempts: number
  /** Milliseconds before the second attempt; doubled each time. */
  readonly delay: number
}
