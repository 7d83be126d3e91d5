import {
  closeSync,
  constants,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { pathOfName } from '#archive'
import { errnoOf } from '#base'
import {
  BulkWriter,
  changeMode,
  closeDescriptor,
  makeNode,
  setDescriptorTimes,
  setTimes,
  setXattr,
  statDescriptor,
} from '#kernel'
import { lstatIfThere } from './confined-root.ts'
import type { ConfinedRoot, Owner } from './confined-root.ts'

/** An extended attribute. */
export interface Xattr {
  readonly name: string
  readonly value: Buffer
}

/** What a written entry shall look like. */
export interface Attributes {
  /** Permission bits. */
  readonly mode: number
  readonly owner: Owner
  /** Nanoseconds since the epoch; absent: as it comes. */
  readonly mtime?: bigint
  readonly xattrs: readonly Xattr[]
}

/** A file on its way. */
export interface OpenFile {
  /** At the end, or at an offset. */
  append(chunk: Uint8Array, offset?: number): void
  /** Attributes last; `size` sets the length, for files that end in a hole. */
  finish(attributes: Attributes, size?: number): void
  abandon(): void
}

/** Writes the entries of an archive below a root. */
export interface EntryWriter {
  /** As `ConfinedRoot` does it. */
  makeFolders(path: string, owner: Owner): void
  folder(parent: string, name: string, attributes: Attributes): void
  openFile(parent: string, name: string): OpenFile
  link(parent: string, name: string, attributes: Attributes, target: string): void
  hardLink(parent: string, name: string, source: { readonly folder: string; readonly name: string }): void
  node(parent: string, name: string, attributes: Attributes, device: bigint): void
  finish(): void
}

/**
 * Writes entries into a root that is not trusted. The folder of an entry is looked up inside the root, the entry
 * itself never through a link; what stands in its place is replaced, but a folder stays a folder under a folder.
 */
export class TreeWriter implements EntryWriter {
  readonly #root: ConfinedRoot
  readonly #cached: boolean
  readonly #folders: { readonly folder: string; readonly name: string; readonly mtime: bigint }[] = []

  /** `cached`: large files go by the page cache even where the disk would be faster in the end; the caller waits for less. */
  constructor(root: ConfinedRoot, options: { readonly cached?: boolean } = {}) {
    this.#root = root
    this.#cached = options.cached ?? false
  }

  makeFolders(path: string, owner: Owner): void {
    this.#root.makeFolders(path, owner)
  }

  /** A folder; one that is there gets the attributes. Its time is set by `finish`. */
  folder(parent: string, name: string, attributes: Attributes): void {
    this.#makeFolder(parent, name)
    const at = this.#root.entry(parent, name)
    const fd = openSync(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      applyTo(fd, () => at, attributes)
    } finally {
      closeSync(fd)
    }
    if (attributes.mtime !== undefined) this.#folders.push({ folder: parent, name, mtime: attributes.mtime })
  }

  /** A file, new and empty; `finish` must follow, or `abandon`. */
  openFile(parent: string, name: string): OpenFile {
    const fd = this.#make(parent, name, () => this.#root.createEntry(parent, name, 0o600))
    let bulk = this.#cached ? undefined : new BulkWriter(fd)
    let end = 0
    return {
      append: (chunk, offset = end) => {
        if (offset !== end) {
          bulk?.finish()
          bulk = undefined
        }
        if (bulk) bulk.write(chunk)
        else writeWhole(fd, chunk, offset)
        end = offset + chunk.length
      },
      finish: (attributes, size) => {
        try {
          bulk?.finish()
          if (size !== undefined && size !== end) ftruncateSync(fd, size)
          applyTo(fd, () => this.#root.entry(parent, name), attributes)
          if (attributes.mtime !== undefined) setDescriptorTimes(fd, attributes.mtime, attributes.mtime)
        } finally {
          closeDescriptor(fd)
        }
      },
      abandon: () => closeDescriptor(fd),
    }
  }

  /** As `writeAtOnce` does it. */
  file<T extends Attributes>(parent: string, name: string, write: (append: OpenFile['append']) => T): T {
    return writeAtOnce(this.openFile(parent, name), write)
  }

  link(parent: string, name: string, attributes: Attributes, target: string): void {
    this.#make(parent, name, () => symlinkSync(pathOfName(target), this.#root.entry(parent, name)))
    const at = this.#root.entry(parent, name)
    lchownSync(at, attributes.owner.uid, attributes.owner.gid)
    if (attributes.mtime !== undefined) setTimes(at, attributes.mtime, attributes.mtime)
  }

  /** A second name for an entry of this root that was written before. */
  hardLink(parent: string, name: string, source: { readonly folder: string; readonly name: string }): void {
    const from = (): string | Buffer => this.#root.entry(source.folder, source.name)
    this.#make(parent, name, () => linkSync(from(), this.#root.entry(parent, name)))
  }

  /** A FIFO or device; `mode` with its type. */
  node(parent: string, name: string, attributes: Attributes, device: bigint): void {
    this.#make(parent, name, () => makeNode(this.#root.entry(parent, name), attributes.mode, device))
    const at = this.#root.entry(parent, name)
    lchownSync(at, attributes.owner.uid, attributes.owner.gid)
    if (attributes.mtime !== undefined) setTimes(at, attributes.mtime, attributes.mtime)
  }

  /** Times of folders, which writing into them had changed. */
  finish(): void {
    for (const { folder, name, mtime } of this.#folders.toReversed())
      setTimes(this.#root.entry(folder, name), mtime, mtime)
  }

  /** A new entry. That the place is mostly free needs no look: only where it is taken is it cleared. */
  #make<T>(parent: string, name: string, make: () => T): T {
    try {
      return make()
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
    this.#clear(parent, name, false)
    return make()
  }

  #makeFolder(parent: string, name: string): void {
    try {
      return mkdirSync(this.#root.entry(parent, name), 0o700)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
    if (this.#clear(parent, name, true) === 'nothing') mkdirSync(this.#root.entry(parent, name), 0o700)
  }

  /** Takes away what stands there, unless it is a folder and one is wanted. */
  #clear(parent: string, name: string, wantFolder: boolean): 'folder' | 'nothing' {
    const at = this.#root.entry(parent, name)
    const stat = lstatIfThere(at)
    if (stat === undefined) return 'nothing'
    if (!stat.isDirectory()) {
      unlinkSync(at)
      if (stat.isSymbolicLink()) this.#root.forget()
      return 'nothing'
    }
    if (wantFolder) return 'folder'
    this.#root.removeFolder(parent, name)
    return 'nothing'
  }
}

/** A file written at once, its attributes known at the end; nothing stays open where `write` fails. */
export function writeAtOnce<T extends Attributes>(file: OpenFile, write: (append: OpenFile['append']) => T): T {
  let attributes: T
  try {
    attributes = write((chunk, offset) => file.append(chunk, offset))
  } catch (error) {
    file.abandon()
    throw error
  }
  file.finish(attributes)
  return attributes
}

/** Owner before mode: chown takes setuid away; attributes last: chown takes capabilities away. */
function applyTo(fd: number, path: () => string | Buffer, { mode, owner, xattrs }: Attributes): void {
  if (!statDescriptor(fd).isOwnedBy(owner.uid, owner.gid)) fchownSync(fd, owner.uid, owner.gid)
  changeMode(fd, mode & 0o7777)
  for (const { name, value } of xattrs) setXattr(path(), name, value)
}

function writeWhole(fd: number, chunk: Uint8Array, offset: number): void {
  for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at, chunk.length - at, offset + at)
}
