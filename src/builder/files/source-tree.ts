import { closeSync, constants, readlinkSync, readSync } from 'node:fs'
import { quoteName } from '#archive'
import { conflict, type EngineError } from '#base'
import { type EntryStat as AnyStat, getXattr, hasXattrs, listXattrs, statDescriptor } from '#kernel'
import type { ConfinedRoot, Xattr } from '#tree'
import { type FileDigests, type FileFacts, hashDescriptor } from './file-digests.ts'

export type EntryKind = 'file' | 'folder' | 'link' | 'node'

/** What a copy needs to know of an entry. */
export type EntryStat = Partial<Pick<AnyStat, 'copyState' | 'stamp'>> &
  Pick<AnyStat, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs' | 'mode' | 'uid' | 'gid' | 'rdev' | 'nlink' | 'dev'>

/**
 * The files that COPY and ADD read, links followed inside of it only. Paths and names are raw (one character a byte); a
 * *place* is a path whose links are resolved. It may change while it is read: what is gone then is undefined, or ends in an
 * error of node:fs.
 */
export interface SourceTree {
  /** The place that a path means; undefined where nothing is. */
  resolve(path: string): string | undefined
  /** Links followed; undefined where nothing is. */
  stat(path: string): EntryStat | undefined
  /** Names in a folder, sorted. */
  list(folder: string): readonly string[]
  /** The entry itself; undefined where nothing is. */
  lstat(folder: string, name: string): EntryStat | undefined
  /** Target of a symbolic link. */
  target(folder: string, name: string): string
  /** Those that a copy keeps, by name; of a file they are among its facts. */
  xattrs(folder: string, name: string): readonly Xattr[]
  /** What is in a file, from memory: undefined where it has to be read. `stat` is its newest state. */
  known(folder: string, name: string, stat: EntryStat): FileFacts | undefined
  /** Reads a file once; each chunk goes to `take` (which must not keep it). */
  read(folder: string, name: string, take?: (chunk: Buffer) => void): FileFacts
  /** The first bytes of a file, at most `length`. */
  head(folder: string, name: string, length: number): Buffer
}

export function kindOf(stat: { readonly mode: bigint | number }): EntryKind {
  switch (Number(stat.mode) & constants.S_IFMT) {
    case constants.S_IFREG:
      return 'file'
    case constants.S_IFDIR:
      return 'folder'
    case constants.S_IFLNK:
      return 'link'
    default:
      return 'node'
  }
}

function xattrsAt(path: string | Buffer): readonly Xattr[] {
  const names = listXattrs(path).filter(isKeptXattr)
  return names.toSorted().flatMap((each) => {
    const value = getXattr(path, each)
    return value === undefined ? [] : [{ name: each, value }]
  })
}

function isKeptXattr(name: string): boolean {
  return name === 'security.capability' || name.startsWith('user.')
}

/** The reference clock of a job: nanoseconds since the epoch. */
type Now = () => bigint

/** What took the place of a file meanwhile must neither lead out of the root nor block. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK

/** A folder, or the mounted root of another stage or image. */
export class FolderTree implements SourceTree {
  readonly #root: ConfinedRoot
  readonly #digests: FileDigests
  readonly #now: Now

  constructor(root: ConfinedRoot, digests: FileDigests, now: Now) {
    this.#root = root
    this.#digests = digests
    this.#now = now
  }

  resolve(path: string): string | undefined {
    const fd = this.#root.open(path)
    if (fd === undefined) return undefined
    try {
      return this.#root.locate(fd)
    } finally {
      closeSync(fd)
    }
  }

  stat(path: string): EntryStat | undefined {
    return this.#root.stat(path)
  }

  list(folder: string): readonly string[] {
    return this.#root.list(folder)
  }

  lstat(folder: string, name: string): EntryStat | undefined {
    return this.#root.lstat(folder, name)
  }

  target(folder: string, name: string): string {
    return readlinkSync(this.#root.entry(folder, name), { encoding: 'latin1' })
  }

  xattrs(folder: string, name: string): readonly Xattr[] {
    return xattrsAt(this.#root.entry(folder, name))
  }

  known(folder: string, name: string, stat: EntryStat): FileFacts | undefined {
    return this.#digests.find(keyOf(folder, name), stat)
  }

  /** What was read is remembered where the file held still. */
  read(folder: string, name: string, take?: (chunk: Buffer) => void): FileFacts {
    const fd = this.#root.openEntry(folder, name, READ_FLAGS)
    try {
      const before = statDescriptor(fd)
      const size = Number(before.size)
      const { digest, length } = hashDescriptor(fd, size, take)
      if (length < size) throw cutShort(keyOf(folder, name))
      const facts = { digest, xattrs: hasXattrs(fd) ? this.xattrs(folder, name) : [] }
      const after = statDescriptor(fd)
      this.#digests.remember(keyOf(folder, name), { before, after, now: this.#now() }, facts)
      return facts
    } finally {
      closeSync(fd)
    }
  }

  head(folder: string, name: string, length: number): Buffer {
    const fd = this.#root.openEntry(folder, name, READ_FLAGS)
    try {
      const buffer = Buffer.alloc(length)
      return buffer.subarray(0, readSync(fd, buffer))
    } finally {
      closeSync(fd)
    }
  }
}

/** Half a file is no file of a layer. */
function cutShort(path: string): EngineError {
  return conflict(`cannot copy ${quoteName(path)}: it became shorter while it was read`)
}

function keyOf(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}
