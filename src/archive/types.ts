/**
 * A name as it stands in the archive: one character for each byte (latin1), so that no name is lost or changed.
 * ASCII names are what they seem; `textOfName` decodes the others, `nameOfText` encodes.
 */
export type RawName = string

export type TarKind = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo'

/** A stretch of a sparse file that has bytes; all else is zeros. */
export interface SparseRange {
  readonly offset: number
  readonly length: number
}

/** One member of a tar, its PAX and GNU extensions already applied. */
export interface TarEntry {
  readonly kind: TarKind
  /** As written: neither cleaned nor checked («./a», «../x», «dir/»). */
  readonly path: RawName
  /** Target of a hard link or symbolic link, as written; empty for others. */
  readonly link: RawName
  /** The twelve permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of the file as it will be (a sparse one with its holes); 0 for all but files. */
  readonly size: number
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint
  readonly major: number
  readonly minor: number
  /** By name («security.capability»). */
  readonly xattrs: ReadonlyMap<RawName, Uint8Array>
  /** Present for a sparse file: ascending, not overlapping. */
  readonly sparse?: readonly SparseRange[]
}

/** What the writer needs; what is left out is zero or empty. */
export interface TarInput extends Partial<Omit<TarEntry, 'kind' | 'path' | 'sparse'>> {
  readonly kind: TarKind
  readonly path: RawName
}

/** Compressed forms that are told apart by their first bytes. */
export type Compression = 'plain' | 'gzip' | 'zstd' | 'bzip2' | 'xz'
