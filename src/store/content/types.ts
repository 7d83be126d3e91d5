import type { Bytes, Clock, Log } from '#base'
import type { Digest } from '#oci'
import type { Growth } from './growing.ts'
import type { Database } from '#store/db'
import type { Lease, Resource } from '#store/lease'

export interface BlobInfo {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

export interface ByteRange {
  readonly start: number
  /** Exclusive. */
  readonly end?: number
}

export interface ContentReader {
  find(digest: Digest): Promise<BlobInfo | undefined>
  /** Throws `not-found`; a whole read is verified and ends in `corrupt` where the bytes do not match. */
  read(digest: Digest, range?: ByteRange): Bytes
  /** The blob's file, for jobs in workers; the caller's lease must hold it. Throws `not-found`, `corrupt` for a file of another size. */
  path(digest: Digest): Promise<string>
  list(): Promise<readonly BlobInfo[]>
}

/** A file that is being written, for readers that follow it; what was unverified is never its end. */
export interface GrowingFile extends AsyncDisposable {
  /** Open for reading until this is disposed of. */
  readonly fd: number
  readonly growth: Growth
}

/** Half-written bytes: an ingest, never a blob. */
export interface Ingest extends AsyncDisposable {
  /** Bytes that are there already (an ingest of the same key goes on after an interruption). */
  readonly offset: number
  /** Of these, bytes that a reader of the file finds already. */
  readonly written: number
  /** Takes the chunk; some may be gathered before they are written (they are lost if this process is killed). */
  write(chunk: Uint8Array): Promise<void>
  /** Throws the bytes away and begins again at 0. */
  reset(): Promise<void>
  /**
   * The bytes as they come, from the first on; their end is reached once they are verified by `commit`, and never where the
   * ingest is reset or given up.
   */
  follow(): Promise<GrowingFile>
  /** The file being written, for a job that writes it itself (then `commit` hashes it in a worker). */
  readonly path: string
  /** Size, digest, fsync, rename, fsync of the folder, record; `corrupt` and nothing kept where they do not match. */
  commit(expected?: { readonly digest: Digest; readonly size: number }): Promise<BlobInfo>
}

export interface IngestOptions {
  /**
   * True unless given: what was written stays for a day and the same key continues it. False for bytes that can be
   * made again from what is here (packing a layer): they go when the ingest is disposed of, or with the next start.
   */
  readonly resume?: boolean
}

export interface ContentStore extends ContentReader {
  /** The same key continues after an interruption; two at once on one key: the second throws `conflict`. */
  begin(key: string, lease: Lease, options?: IngestOptions): Promise<Ingest>
  /** Small bytes (manifests, configs) in one call. */
  put(bytes: Uint8Array, lease: Lease): Promise<BlobInfo>
  /** What is wrong with a blob's file, as the end of a sentence; undefined for one that is whole. Reads all of it. */
  check(digest: Digest, signal?: AbortSignal): Promise<string | undefined>
}

/** Runs `contentJobs` in a worker; kernel's pool is one. */
export interface ContentJobRunner {
  run<Input, Output>(
    job: string,
    input: Input,
    options?: { readonly signal?: AbortSignal; readonly lane?: 'bulk' | 'short' },
  ): Promise<Output>
}

export interface ContentOptions {
  /** The store's own folder: `blobs/sha256/<hex>` and `ingest/` below it. */
  readonly folder: string
  readonly database: Database
  readonly jobs: ContentJobRunner
  readonly clock: Clock
  readonly log: Log
  /** After a loss of records: blobs that none knows are taken up by what they hash to, and not removed. */
  readonly takeUpStrays?: boolean
}

/** This room's part in a collection (the shape of #store/gc's `Collector`). */
export interface ContentCollector {
  /** Ingests that are being written, or wait for their continuation. */
  roots(): Iterable<Resource>
  /** None: what a blob's bytes refer to is known by who reads them. */
  edges(from: Resource): Iterable<Resource>
  sweep(live: ReadonlySet<string>): { readonly resources: readonly Resource[]; removeBytes(): Promise<number> }
}

/** Half-written bytes as they lie on the disk. */
export interface IngestState {
  readonly key: string
  /** Name in the folder `ingest`. */
  readonly file: string
  /** Somebody is writing it; else it waits for its continuation. */
  readonly isOpen: boolean
}

export interface OpenContentStore extends ContentStore {
  /** Removes a file among the blobs that no record knows; nothing where one does. */
  removeStray(name: string): Promise<void>
  /** Takes a damaged blob away, so that its bytes can be fetched again. */
  discard(digest: Digest): Promise<void>
  readonly collector: ContentCollector
  ingests(): readonly IngestState[]
  /** Removes the interrupted ingests that wait for their continuation, before their day is over (a prune asks for it); bytes. */
  discardInterrupted(): Promise<number>
}
