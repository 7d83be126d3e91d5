import { closeSync, constants, openSync } from 'node:fs'
import { type RawName, type TarInput, TarWriter, quoteName } from '#archive'
import { conflict } from '#base'
import { BulkReader, hasXattrs, openEntry, type PlainStat, readBytes, splitDevice, statDescriptor } from '#kernel'
import { type TreeEntry, ifThere, readLink, readXattrs } from '#store/snapshot'

const CHUNK = 1 << 18
/** A fifo or link that took the file's place would block or lead away. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map()

/** Smaller files go with others in one chunk. */
const WORTH_SENDING = 1 << 17

/** Sends bytes of an open file from its position: how many it could. */
export type SendFile = (fd: number, size: number) => number

/**
 * Entries of a tree that is walked, as a tar: with owners, times and xattrs; second names of a file as hard links; sockets
 * left out; holes as zeros. `put` gets chunks that are valid during the call. What vanishes or becomes something else
 * before it is read is left out; a file that becomes shorter while it is read is a `conflict`. With `send` a large file's
 * bytes are not put but sent by it: how many it could, all of them where the file has them.
 */
export class TreeTar {
  readonly #tar: TarWriter
  readonly #send: SendFile | undefined
  readonly #names = new Map<string, RawName>()
  readonly #buffer = Buffer.allocUnsafe(CHUNK)
  #content = 0

  constructor(put: (chunk: Buffer) => void, send?: SendFile) {
    this.#tar = new TarWriter(put)
    this.#send = send
  }

  /** Bytes of the files so far. */
  get content(): number {
    return this.#content
  }

  /** One entry, under its own path or another one. */
  add(entry: TreeEntry, path: RawName = entry.path): void {
    const { stat } = entry
    if (stat.isSocket()) return
    const several = stat.nlink > 1n && !stat.isDirectory()
    const inode = several ? `${stat.dev} ${stat.ino}` : ''
    const first = several ? this.#names.get(inode) : undefined
    if (first !== undefined) {
      this.#tar.entry({ kind: 'hardlink', path, link: first, ...attributesOf(entry) })
      return
    }
    if (stat.isFile() && stat.size > 0n) {
      if (!this.#addFile(entry, path)) return
    } else {
      const kind = kindOf(entry)
      if (kind === undefined) return
      this.#tar.entry({ path, ...kind, ...attributesOf(entry) })
    }
    if (several) this.#names.set(inode, path)
  }

  /** An empty file without owner or time, that only says something by its name. */
  mark(path: RawName): void {
    this.#tar.entry({ kind: 'file', path })
  }

  finish(): void {
    this.#tar.finish()
  }

  #addFile(entry: TreeEntry, path: RawName): boolean {
    const fd = ifThere(() => openFile(entry))
    if (fd === undefined) return false
    try {
      const stat = statDescriptor(fd)
      if (!stat.isFile()) return false
      const size = Number(stat.size)
      const xattrs = hasXattrs(fd) ? readXattrs(entry.at) : NO_XATTRS
      this.#tar.entry({ kind: 'file', path, size, ...plainAttributes(stat), xattrs })
      this.#content += size
      this.#copy(fd, size, path)
      return true
    } finally {
      closeSync(fd)
    }
  }

  #copy(fd: number, size: number, path: RawName): void {
    if (this.#send && size >= WORTH_SENDING) {
      this.#tar.bodyBeside(size)
      if (this.#send(fd, size) < size) throw shortened(path)
      return
    }
    const reader = size > CHUNK ? new BulkReader(fd, this.#buffer) : undefined
    for (let left = size; left > 0;) {
      const chunk = reader?.next(left) ?? this.#read(fd, left, size - left)
      if (chunk.length === 0) throw shortened(path)
      this.#tar.body(chunk)
      left -= chunk.length
    }
  }

  /** What a small file has is there with one call. */
  #read(fd: number, length: number, position: number): Buffer {
    return this.#buffer.subarray(0, readBytes(fd, this.#buffer, length, position))
  }
}

function shortened(path: RawName): Error {
  return conflict(`cannot pack ${quoteName(path)}: it became shorter while it was read`)
}

/** Undefined for a link that has vanished meanwhile. */
function kindOf({ stat, at }: TreeEntry): Pick<TarInput, 'kind' | 'link' | 'major' | 'minor'> | undefined {
  if (stat.isFile()) return { kind: 'file' }
  if (stat.isDirectory()) return { kind: 'directory' }
  if (stat.isSymbolicLink()) {
    const link = readLink(at)?.toString('latin1')
    return link === undefined ? undefined : { kind: 'symlink', link }
  }
  if (stat.isFIFO()) return { kind: 'fifo' }
  return { kind: stat.isBlockDevice() ? 'block' : 'character', ...splitDevice(stat.rdev) }
}

function openFile({ at, folder, name }: TreeEntry): number {
  return folder === undefined ? openSync(at, READ_FLAGS) : openEntry(folder, name, READ_FLAGS)
}

function attributesOf({ stat, at }: TreeEntry): Attributes {
  return { ...plainAttributes(stat), xattrs: readXattrs(at) }
}

function plainAttributes({ mode, uid, gid, mtimeNs }: PlainStat): Omit<Attributes, 'xattrs'> {
  return { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtime: mtimeNs }
}

type Attributes = Pick<TarInput, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'>
