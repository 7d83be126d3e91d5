import { createHash, hash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { corrupt } from '#base'
import { placeOfName } from '#archive'
import type { TarEntry, TarSink } from '#archive'
import { makeDevice } from '#kernel'

/** One entry of an indexed tar. Names are raw. */
export interface TarNode {
  /** With its type, as stat has it. */
  readonly mode: number
  /** Nanoseconds since the epoch, in decimal; empty for a folder that the archive only implies. */
  readonly mtime: string
  /** Of a symbolic link. */
  readonly link?: string
  /** Of a device. */
  readonly device?: number
  /** How many bytes a file has, and their sha256 in hex. */
  readonly bytes?: { readonly size: number; readonly digest: string }
  /** In hex. */
  readonly xattrs?: readonly (readonly [string, string])[]
}

export type NamedNode = readonly [path: string, node: TarNode]

/** Entries by their path; the root has the empty one. A folder stands before what is in it. */
export type TarIndex = Map<string, TarNode>

/** Indexes that this thread has made or read last: the next job may want the same. Memory that is wanted is not kept for them. */
class RecentIndexes {
  #all: readonly { readonly digest: string; readonly index: WeakRef<TarIndex> }[] = []

  keep(digest: string, index: TarIndex): void {
    this.#all = [{ digest, index: new WeakRef(index) }, ...this.#all].slice(0, MOST_RECENT)
  }

  find(digest: string): TarIndex | undefined {
    return this.#all.find((each) => each.digest === digest)?.index.deref()
  }
}

/** That of a context, and the one of the context before. */
const MOST_RECENT = 2
const recent = new RecentIndexes()

/** `index` is what has been written, and changes no more. */
export function keepTarIndex(digest: string, index: TarIndex): void {
  recent.keep(digest, index)
}

/** `digest`: what was given when it was written. Ends in `corrupt` where that is another. */
export function readTarIndex(path: string, digest: string | undefined): ReadonlyMap<string, TarNode> {
  const known = digest === undefined ? undefined : recent.find(digest)
  if (known !== undefined) return known
  const text = readFileSync(path)
  if (digest !== undefined && hash('sha256', text) !== digest)
    throw corrupt(`cannot use ${path}: its digest is another`)
  const index = new Map(JSON.parse(text.toString()) as [string, TarNode][])
  if (digest !== undefined) recent.keep(digest, index)
  return index
}

/** Characters that are written together. */
const AT_ONCE = 1 << 16

/** Writes an index while its entries come. */
export class IndexFile implements Disposable {
  readonly #path: string
  readonly #hash = createHash('sha256')
  #fd: number | undefined
  #text = '['
  #isFirst = true

  constructor(path: string) {
    this.#path = path
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  add(path: string, node: TarNode): void {
    const line = JSON.stringify([path, node])
    this.#text += this.#isFirst ? line : `,${line}`
    this.#isFirst = false
    if (this.#text.length >= AT_ONCE) this.#write()
  }

  /** Where entries were replaced, `index` says so, and is written in place of them. Gives the digest of what was written. */
  finish(index?: TarIndex): string {
    if (index !== undefined) return this.#replace(JSON.stringify([...index]))
    this.#text += ']'
    this.#write()
    return this.#hash.digest('hex')
  }

  #replace(text: string): string {
    this[Symbol.dispose]()
    writeFileSync(this.#path, text, { mode: 0o600 })
    return hash('sha256', text)
  }

  #write(): void {
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    this.#hash.update(bytes)
    this.#fd ??= openSync(this.#path, 'w', 0o600)
    writeFileSync(this.#fd, bytes)
  }
}

const TYPES = {
  directory: constants.S_IFDIR,
  file: constants.S_IFREG,
  symlink: constants.S_IFLNK,
  character: constants.S_IFCHR,
  block: constants.S_IFBLK,
  fifo: constants.S_IFIFO,
  hardlink: 0,
} as const

const IMPLIED: TarNode = { mode: constants.S_IFDIR | 0o755, mtime: '' }
const MAX_DEVICE = { major: 0xfff, minor: 0xfffff }

/** A file whose bytes come. */
interface OpenFile {
  readonly path: string
  readonly node: TarNode
  readonly size: number
  hash?: Hash
  digest?: string
}

/**
 * Notes what each file is while a tar passes, and its digest. `isPlain` is false for an archive whose entries build on each
 * other in ways that only a file system shows rightly: names through links, kinds that change, holes. Of such a one the
 * index says nothing.
 */
export class TarIndexer implements TarSink {
  readonly index: TarIndex = new Map([['', IMPLIED]])
  isPlain = true
  /** A file has two names. */
  hasLinks = false
  /** Something came twice: what came last counts. */
  hasRepeats = false
  #open: OpenFile | undefined
  /** Of the entry before. */
  #folder = ''
  readonly #file: Pick<IndexFile, 'add'> | undefined

  /** `file` gets each entry once it is whole. */
  constructor(file?: Pick<IndexFile, 'add'>) {
    this.#file = file
    file?.add('', IMPLIED)
  }

  entry(entry: TarEntry): void {
    const path = this.#placeOf(entry.path)
    if (path === undefined || !this.isPlain) return
    if (entry.kind === 'hardlink') this.#addLink(path, entry)
    else this.#add(path, entry)
  }

  /** Entries that have come, one behind the other: the place of the first, or undefined where they would not all be new and plain. */
  append(entries: readonly NamedNode[]): number | undefined {
    const folders = new Set<string>()
    const isFolderThere = (path: string): boolean => {
      const there = this.index.get(path)
      return there !== undefined && isFolder(there)
    }
    for (const [path, node] of entries) {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
      if (this.index.has(path) || (!folders.has(parent) && !isFolderThere(parent))) return undefined
      folders.add(parent)
      if (isFolder(node)) folders.add(path)
    }
    if (!this.isPlain) return undefined
    const first = this.index.size
    for (const [path, node] of entries) this.#set(path, node)
    return first
  }

  body(chunk: Buffer): void {
    const open = this.#open
    if (open === undefined) return
    // a file that comes in one piece needs no state
    if (chunk.length === open.size && open.hash === undefined) open.digest = hash('sha256', chunk)
    else (open.hash ??= createHash('sha256')).update(chunk)
  }

  end(): void {
    const open = this.#open
    this.#open = undefined
    if (open === undefined) return
    const bytes = { size: open.size, digest: open.digest ?? (open.hash ?? createHash('sha256')).digest('hex') }
    this.#set(open.path, { ...open.node, bytes })
  }

  #set(path: string, node: TarNode): void {
    this.index.set(path, node)
    this.#file?.add(path, node)
  }

  /** The path without `.` and `..`; its folders are there then. Undefined where it cannot be said without a file system. */
  #placeOf(raw: string): string | undefined {
    const place = placeOfName(raw)
    if (raw.includes('..') && raw.split('/').includes('..')) this.isPlain = false
    const folder = place.slice(0, Math.max(0, place.lastIndexOf('/')))
    // what was a folder is one for as long as the archive is plain
    if (folder !== '' && folder !== this.#folder) this.#implyFolders(folder)
    this.#folder = folder
    return this.isPlain ? place : undefined
  }

  #implyFolders(path: string): void {
    for (let slash = path.indexOf('/'); this.isPlain; slash = path.indexOf('/', slash + 1)) {
      const folder = slash < 0 ? path : path.slice(0, slash)
      const there = this.index.get(folder)
      if (there === undefined) this.#set(folder, IMPLIED)
      else if (!isFolder(there)) this.isPlain = false
      if (slash < 0) return
    }
  }

  #add(path: string, entry: TarEntry): void {
    const there = this.index.get(path)
    const changesKind = there !== undefined && (isFolder(there) || entry.kind === 'directory')
    const isKnownFolder = changesKind && isFolder(there) && entry.kind === 'directory'
    if ((changesKind && !isKnownFolder) || entry.sparse !== undefined || !hasGoodNumbers(entry)) {
      this.isPlain = false
      return
    }
    if (there !== undefined && there !== IMPLIED) this.hasRepeats = true
    const node = nodeOf(entry)
    if (entry.kind === 'file') {
      this.index.set(path, node)
      this.#open = { path, node, size: entry.size }
    } else this.#set(path, node)
  }

  /** A second name shows the same bytes: a context knows no owners, and its files never change. */
  #addLink(path: string, entry: TarEntry): void {
    this.hasLinks = true
    const target = this.#placeOf(entry.link)
    const node = target === undefined ? undefined : this.index.get(target)
    const there = this.index.get(path)
    if (node === undefined || isFolder(node) || (there !== undefined && isFolder(there))) this.isPlain = false
    else {
      if (there !== undefined) this.hasRepeats = true
      this.#set(path, node)
    }
  }
}

export function isFolder(node: TarNode): boolean {
  return (node.mode & constants.S_IFMT) === constants.S_IFDIR
}

function nodeOf(entry: TarEntry): TarNode {
  const isDevice = entry.kind === 'character' || entry.kind === 'block'
  const xattrs = [...entry.xattrs].filter(([name]) => name === 'security.capability')
  return {
    mode: TYPES[entry.kind] | (entry.mode & 0o7777),
    mtime: String(entry.mtime),
    ...(entry.kind === 'symlink' && { link: entry.link }),
    ...(isDevice && { device: makeDevice(entry.major, entry.minor) }),
    ...(xattrs.length > 0 && {
      xattrs: xattrs
        .map(([name, value]) => [name, Buffer.from(value).toString('hex')] as const)
        .toSorted(([left], [right]) => (left < right ? -1 : 1)),
    }),
  }
}

/** The largest id that chown takes. */
const MAX_ID = 0xfffffffe

/** What cannot be is refused where it is unpacked, in its own words. */
function hasGoodNumbers({ uid, gid, major, minor }: TarEntry): boolean {
  return uid <= MAX_ID && gid <= MAX_ID && major <= MAX_DEVICE.major && minor <= MAX_DEVICE.minor
}
