import type { Bytes } from '#base'
import type { Digest } from '#oci'
import type { Lease } from '#store/lease'

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
  /** The blob's file, for jobs in workers; the caller's lease must hold it. Throws `not-found`. */
  path(digest: Digest): Promise<string>
  list(): Promise<readonly BlobInfo[]>
}

/** Half-written bytes: an ingest, never a blob. */
export interface Ingest extends AsyncDisposable {
  /** Bytes that are there already (an ingest of the same key goes on after an interruption). */
  readonly offset: number
  write(chunk: Uint8Array): Promise<void>
  /** Throws the bytes away and begins again at 0. */
  reset(): Promise<void>
  /** The file being written, for a job that writes it itself (then `commit` hashes it in a worker). */
  readonly path: string
  /** Size, digest, fsync, rename, fsync of the folder, record; `corrupt` and nothing kept where they do not match. */
  commit(expected?: { readonly digest: Digest; readonly size: number }): Promise<BlobInfo>
}

export interface ContentStore extends ContentReader {
  /** The same key continues after an interruption; two at once on one key: the second throws `conflict`. */
  begin(key: string, lease: Lease): Promise<Ingest>
  /** Small bytes (manifests, configs) in one call. */
  put(bytes: Uint8Array, lease: Lease): Promise<BlobInfo>
}
