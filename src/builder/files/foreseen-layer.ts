import { createHash } from 'node:crypto'
import { closeSync, constants, lstatSync, openSync, readSync } from 'node:fs'
import { posix } from 'node:path'
import { type RawName, type TarEntry, type TarKind, TarWriter } from '#archive'
import { listXattrs } from '#kernel'
import type { ConfinedRoot, Owner } from '#tree'
import type { GuessedCopy } from './copy-guess.ts'
import type { ComingHash } from './tree-hash.ts'

/** The layer that a COPY makes of files that came just now, if it goes to a place where nothing is and adds nothing else. */
export interface ForeseenLayer {
  /** In the context: what is copied, and how many entries it has. */
  readonly source: RawName
  readonly entries: number
  /** Where it goes. */
  readonly place: RawName
  /** The folder that the copy makes, 0755 and root's; it gets this time (nanoseconds since the epoch). */
  readonly made?: { readonly folder: RawName; readonly mtime: bigint }
  /** Digest and bytes of its tar, and bytes of the files in it. */
  readonly diffId: string
  readonly size: number
  readonly content: number
  /** What `builder.hash` gives for the source. */
  readonly read?: { readonly hash: string; readonly shape: 'file' | 'dir' }
}

/** In the order of a tree: what is in a folder follows it at once. */
function comesBefore(path: RawName, other: RawName): boolean {
  const length = Math.min(path.length, other.length)
  let at = 0
  while (at < length && path[at] === other[at]) at += 1
  if (at === length) return path.length < other.length
  if (path[at] === '/' || other[at] === '/') return path[at] === '/'
  return path.charCodeAt(at) < other.charCodeAt(at)
}

/** What counts of an entry that comes. */
export type ForeseenEntry = Pick<TarEntry, 'kind' | 'mode' | 'size' | 'mtime' | 'link' | 'xattrs' | 'sparse'>

const KINDS: ReadonlySet<TarKind> = new Set(['file', 'directory', 'symlink'])
const MADE_MODE = 0o755
/** Times that every file system keeps. Nanoseconds. */
const LATEST = 0xffffffffn * 1_000_000_000n
const SECOND = 1_000_000_000n
const CHUNK = 1 << 18
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW

/**
 * Hashes the tar of such a layer, as the store would write it, from the entries of a context in the order in which they come. A
 * tar of another order, or with entries that are not plain, ends it: then there is nothing to be foreseen.
 */
export class LayerForecast {
  readonly #guess: GuessedCopy
  readonly #owner: Owner
  readonly #tar: TarWriter
  readonly #hash = createHash('sha256')
  readonly #madeAt: bigint
  readonly #folders = new Set<RawName>()
  #size = 0
  #content = 0
  #entries = 0
  #last = ''
  #place: RawName
  #isOver = false
  /** Bytes that come are of one of its files. */
  #isOpen = false
  /** Some entry, by its place in the context, with the time it is to have. */
  #sample: { readonly path: RawName; readonly mtime: bigint } | undefined
  readonly #read: ComingHash | undefined

  /** `madeAt`: the time of the folder that the copy makes (nanoseconds since the epoch). */
  constructor(
    guess: GuessedCopy,
    owner: Owner,
    { madeAt = BigInt(Date.now()) * 1_000_000n, read }: { readonly madeAt?: bigint; readonly read?: ComingHash } = {},
  ) {
    this.#madeAt = madeAt
    this.#read = read
    this.#guess = guess
    this.#owner = owner
    this.#place = guess.destination
    this.#tar = new TarWriter((chunk) => {
      this.#hash.update(chunk)
      this.#size += chunk.length
    })
    if (guess.source === '') this.#begin(true)
  }

  /** `path`: its place in the context. True where its bytes are wanted. */
  entry(path: RawName, entry: ForeseenEntry): boolean {
    this.#isOpen = false
    const { source } = this.#guess
    if (this.#isOver || path === '' || (source !== '' && path !== source && !path.startsWith(`${source}/`)))
      return false
    if (path === source) this.#begin(entry.kind === 'directory')
    if (!this.#follows(path, entry)) {
      this.#isOver = true
      return false
    }
    this.#entries += 1
    if (entry.kind === 'directory') this.#folders.add(path)
    if (path !== source || entry.kind !== 'directory') this.#write(path, entry)
    this.#isOpen = entry.kind === 'file' && entry.size > 0
    return this.#isOpen
  }

  body(chunk: Uint8Array): void {
    if (this.#isOpen) this.#tar.body(chunk)
  }

  /** An entry that came before it was known that it counts: `root` has it. */
  catchUp(path: RawName, entry: TarEntry, root: ConfinedRoot): void {
    if (!this.entry(path, entry)) return
    const folder = posix.dirname(path)
    const fd = openSync(root.entry(folder === '.' ? '' : folder, posix.basename(path)), READ_FLAGS)
    try {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, entry.size))
      for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) this.body(buffer.subarray(0, read))
    } finally {
      closeSync(fd)
    }
  }

  /** To be called when all is written: undefined where nothing can be said, or `root`, which has the files, does not keep what was written. */
  finish(root?: ConfinedRoot): ForeseenLayer | undefined {
    if (this.#isOver || this.#entries === 0 || (root !== undefined && !this.#isKept(root))) return undefined
    this.#tar.finish()
    const { source, name, destination } = this.#guess
    const isFolder = this.#folders.has(source) || source === ''
    const hash = this.#read?.digest({ name, place: source, isFolder }, this.#entries)
    return {
      source,
      entries: this.#entries,
      place: this.#place,
      ...(this.#folders.has('') && { made: { folder: destination, mtime: this.#madeAt } }),
      diffId: `sha256:${this.#hash.digest('hex')}`,
      size: this.#size,
      content: this.#content,
      ...(hash !== undefined && { read: { hash, shape: isFolder ? 'dir' : 'file' } }),
    }
  }

  /** The folder that the copy makes. */
  #begin(isFolder: boolean): void {
    const { destination, name, isFolder: isIntoFolder } = this.#guess
    if (!isFolder && isIntoFolder) this.#place = `${destination}/${name}`
    if (!isFolder && !isIntoFolder) return
    this.#tar.entry({ kind: 'directory', path: destination, mode: MADE_MODE, mtime: this.#madeAt })
    // stands for that folder, which is in no context
    this.#folders.add('')
    if (isFolder && this.#guess.source === '') this.#entries = 1
  }

  /** In the order in which a tree is walked, each folder before what is in it, and nothing but what can be said from here. */
  #follows(path: RawName, { kind, mtime, xattrs, sparse }: ForeseenEntry): boolean {
    if (!KINDS.has(kind) || sparse !== undefined || xattrs.has('security.capability')) return false
    const slash = path.lastIndexOf('/')
    if (mtime < 0n || mtime > LATEST || path.startsWith('.wh.', slash + 1)) return false
    const isNext = comesBefore(this.#last, path)
    this.#last = path
    return isNext && (path === this.#guess.source || this.#folders.has(path.slice(0, Math.max(0, slash))))
  }

  #write(path: RawName, { kind, mode, size, mtime, link }: ForeseenEntry): void {
    const { source } = this.#guess
    const below = source === '' ? `/${path}` : path.slice(source.length)
    this.#read?.entry(below.slice(1), path)
    const attributes = { mode: kind === 'symlink' ? 0o777 : mode & 0o7777, ...this.#owner, mtime }
    if (kind === 'file') this.#content += size
    this.#tar.entry({ kind, path: `${this.#place}${below}`, size, link, ...attributes })
    const isTelling = this.#sample === undefined || this.#sample.mtime % SECOND === 0n
    if (isTelling && kind !== 'symlink') this.#sample = { path, mtime }
  }

  /** A file system may round times, or give new files attributes of its own. */
  #isKept(root: ConfinedRoot): boolean {
    if (this.#sample === undefined) return true
    const { path, mtime } = this.#sample
    const folder = posix.dirname(path)
    const at = root.entry(folder === '.' ? '' : folder, posix.basename(path))
    return lstatSync(at, { bigint: true }).mtimeNs === mtime && listXattrs(at).length === 0
  }
}
