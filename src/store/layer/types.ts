import type { Lane } from '#kernel'
import type { ChainId, Descriptor, DiffId, Digest } from '#oci'
import type { Bytes } from '#base'
import type { ContentStore, GrowingFile } from '#store/content'
import type { Database } from '#store/db'
import type { Lease } from '#store/lease'
import type { FrozenSnapshot, SealedSnapshot, SnapshotId, Snapshots } from '#store/snapshot'
import type { Programs } from './program.ts'

/** What a pass over a layer tells. */
export interface LayerFacts {
  readonly diffId: DiffId
  /** Bytes of the uncompressed tar. */
  readonly size: number
  /** Bytes of the files in it: what `images` and `history` call a layer's size. */
  readonly content: number
}

export interface LayerRecord extends LayerFacts {
  readonly chain: ChainId
  readonly snapshot: SnapshotId
  /** The tar writer's rule set a layer made here was hashed with; absent for one that came as a blob. */
  readonly rules?: number
  /** Known blobs of it. */
  readonly blobs: readonly Descriptor[]
}

/** What the one who made a tree says of its tar, by the writer's current rules. */
export type LayerClaim = Pick<LayerFacts, 'size' | 'content'> & { readonly diffId: string }

export interface DiffOptions {
  readonly signal?: AbortSignal | undefined
  readonly claim?: LayerClaim | undefined
}

export type LayerForm = 'tar' | 'gzip' | 'zstd'

/** Counts of entries in a layer's changeset. */
export interface LayerChanges {
  readonly added: number
  readonly changed: number
  readonly removed: number
}

/** How a path differs from the layers below; Docker's words C, A, D. */
export interface PathChange {
  readonly path: string
  readonly kind: 'changed' | 'added' | 'removed'
}

export type PathKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'block' | 'character'

/** What stands at a path. */
export interface PathFacts {
  readonly type: PathKind
  /** Bytes of a file, 0 for all else. */
  readonly size: number
  /** The twelve permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Of a symbolic link, as text. */
  readonly link?: string
}

/** In what an entry differs; `content` is a file's bytes, a link's target, a device's number. */
export type TreeFacet = 'type' | 'content' | 'mode' | 'owner' | 'xattrs' | 'time'

/** A path at which two trees differ; a folder is named for itself, not for what is in it. */
export interface TreeDifference {
  readonly path: string
  readonly kind: PathChange['kind']
  /** Of what has changed; `type` stands alone. */
  readonly facets: readonly TreeFacet[]
  readonly before?: PathFacts
  readonly after?: PathFacts
}

/** An entry of a lower layer that nobody sees. Layers are counted from 0, bottom first. */
export interface HiddenPath {
  readonly layer: number
  /** The layer that hides it. */
  readonly by: number
  readonly type: PathKind
  /** Bytes of a file, 0 for all else. */
  readonly size: number
}

/** Where a path comes from; without a layer it is seen no more. Of a folder, the layer that made it. */
export interface PathOrigin {
  readonly path: string
  readonly layer?: number
  readonly type?: PathKind
  readonly size?: number
  /** Bottom first. */
  readonly hidden: readonly HiddenPath[]
}

export interface UnpackOptions {
  readonly signal?: AbortSignal
  /** The layer's bytes on their way into the store; without, its blob is there. */
  readonly bytes?: GrowingFile
  /** The blob has just been verified: its own digest is not looked at again. */
  readonly isVerified?: boolean
}

export interface Layers {
  /** Unpacks a layer blob on `parent` and seals it; single flight per chain; `corrupt` where the diff id differs. */
  apply(
    layer: Descriptor,
    expected: DiffId,
    parent: SealedSnapshot | undefined,
    lease: Lease,
    signal?: AbortSignal,
  ): Promise<SealedSnapshot>
  /**
   * Unpacks a layer by itself, before its parent is there; `apply` takes the tree up. One unpacking for all who ask
   * meanwhile. To be disposed of after `apply`: a tree that nobody took goes then.
   */
  unpack(layer: Descriptor, expected: DiffId, lease: Lease, options?: UnpackOptions): Promise<AsyncDisposable>
  /** Hashes the tar that this tree would pack to; makes no blob. A claim is believed but for the root itself, which it leaves out. */
  diff(snapshot: FrozenSnapshot, lease: Lease, options?: DiffOptions): Promise<LayerFacts>
  /** Seals a tree that was made here and keeps its layer record. */
  adopt(frozen: FrozenSnapshot, parent: ChainId | undefined, layer: LayerFacts): Promise<SealedSnapshot>
  /**
   * Makes again, from blobs that are here, what is missing of a stack of layers, bottom first (a power cut may take trees
   * that were not yet synced). Undefined where a blob is missing too, or for no layers.
   */
  restore(diffIds: readonly DiffId[], lease: Lease, signal?: AbortSignal): Promise<SealedSnapshot | undefined>
  find(chain: ChainId): Promise<LayerRecord | undefined>
  /** As `find`, for those who do not ask for its blobs. */
  facts(chain: ChainId): Promise<LayerFacts | undefined>
  list(): Promise<readonly LayerRecord[]>
  /** The `content` of every layer. */
  sizes(): Promise<ReadonlyMap<ChainId, number>>
  /** The blob, when somebody needs it: a known one as it came, else packed now; `corrupt` where the diff id differs. */
  pack(layer: LayerRecord, form: LayerForm, lease: Lease, signal?: AbortSignal): Promise<Descriptor>
  /** A packed copy is lost: who needs one packs the layer again. */
  forgetBlob(digest: Digest): void
  /** The uncompressed tar of a layer as a stream (for save and export of one layer). */
  tar(layer: LayerRecord, signal?: AbortSignal): Bytes
  /** Added, changed, removed paths of an upper folder against its parents, sorted by path (container diff). */
  changes(upper: string, parent: SnapshotId | undefined): Promise<readonly PathChange[]>
  count(chain: ChainId): Promise<LayerChanges>
  /**
   * How the tree of one stack of layers differs from another's, as `compareStacks` says; read as it comes, in little
   * memory. A stack is named by its topmost layer; undefined is the empty one. Throws `not-found` for a tree that is not here.
   */
  compare(stacks: ComparedStacks, signal?: AbortSignal): AsyncIterable<TreeDifference>
  /**
   * Which layer each path of a stack comes from and what it hides; of `paths` and what is below them, of all where
   * there are none. As `compare` otherwise.
   */
  origins(chain: ChainId | undefined, paths: readonly string[], signal?: AbortSignal): AsyncIterable<PathOrigin>
}

export interface ComparedStacks {
  readonly before: ChainId | undefined
  readonly after: ChainId | undefined
  /** Also tell files (not folders) apart that differ by their time alone. */
  readonly times: boolean
}

/** Runs `layerJobs` in a worker; kernel's pool is one. */
export interface LayerJobRunner {
  run<Input, Output>(
    job: string,
    input: Input,
    options?: { readonly signal?: AbortSignal; readonly lane?: Lane },
  ): Promise<Output>
}

export interface LayerOptions {
  readonly database: Database
  readonly content: ContentStore
  readonly snapshots: Snapshots
  readonly jobs: LayerJobRunner
  /** From `findPrograms`; without any, node's zlib does gzip and zstd. */
  readonly programs: Programs
}
