import { constants, lstatSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import {
  type KnownEntries,
  placeOfName,
  type RawName,
  type StretchNotes,
  type TarEntry,
  type TarStretch,
} from '#archive'
import { errnoOf } from '#base'
import { setTimes } from '#kernel'
import { ConfinedRoot, type FileStand, type Owner, TreeWriter } from '#tree'
import { entryIn, type KnownInput, KnownLayer } from './known-layer.ts'
import { isFolder, type NamedNode, readTarIndex, type TarIndexer, type TarNode } from './tar-index.ts'

/** Larger files are written as they come. Bytes. */
const MOST_HELD = 4 << 20

/** The stretches of an archive, and the index in which their entries stand. */
export interface IndexedStretches extends StretchNotes {
  /** Its digest. */
  readonly index: string
}

interface Parts {
  /** Where the context is unpacked. */
  readonly root: ConfinedRoot
  /** Hands over that an entry is put there, or says that nobody takes it. */
  readonly handOver: (path: RawName, node: TarNode) => boolean
  readonly owner: Owner
  readonly indexer: TarIndexer
  /** What is read from its file in any case. */
  readonly texts: ReadonlySet<RawName>
}

/**
 * Files of a context that are in an earlier layer, equal in bytes, mode, time and owner: they are not written, but get a second
 * name. As long as all is as it was, not even that: `completeContext` does it where the files are wanted after all.
 */
export class KnownFiles implements FileStand, Disposable {
  readonly #layer: KnownLayer
  readonly #source: RawName
  readonly #parts: Parts
  /** Parts of the earlier archive. */
  readonly stretches: IndexedStretches | undefined
  /** All entries of it, in their order. */
  readonly #nodes: readonly NamedNode[]
  readonly #left: Map<RawName, TarNode>
  #deferred: NamedNode[] = []
  #held: { readonly path: RawName; readonly node: TarNode } | undefined
  #isSame: boolean
  #isUsed = false

  constructor(input: KnownInput, parts: Parts) {
    this.stretches = readStretches(input.stretches)
    const index = readTarIndex(input.index, this.stretches?.index)
    this.#layer = new KnownLayer(input)
    this.#source = input.source
    this.#parts = parts
    this.#nodes = [...index]
    this.#left = new Map(filesBelow(index, input.source))
    for (const path of parts.texts) this.#left.delete(path)
    this.#isSame = this.#left.size > 0
  }

  [Symbol.dispose](): void {
    this.#layer[Symbol.dispose]()
  }

  /** All that came so far was there before. */
  get isSame(): boolean {
    return this.#isSame
  }

  /** Some file of the context is a file of the layer. */
  get isUsed(): boolean {
    return this.#isUsed
  }

  /** To be called for each entry, before it is written. */
  look(entry: TarEntry): void {
    this.#held = undefined
    if (!this.#parts.indexer.isPlain) return this.#differ()
    const path = placeOfName(entry.path)
    const node = this.#left.get(path)
    this.#left.delete(path)
    if (node !== undefined && hasFacts(node, entry)) {
      if (entry.size <= MOST_HELD) this.#held = { path, node }
    } else if (node !== undefined || entry.kind === 'hardlink' || this.#isNew(path, entry)) this.#differ()
  }

  /** Files beside what is copied stand for themselves. */
  #isNew(path: RawName, { kind }: TarEntry): boolean {
    return kind === 'file' && !this.#parts.texts.has(path) && isBelow(path, this.#source)
  }

  /** Entries of the earlier archive. */
  entriesOf({ first, bodies }: TarStretch): readonly NamedNode[] {
    return this.#nodes.slice(first, first + bodies.length)
  }

  /** Entries that have come just as before. Undefined where they are to be read all the same. */
  accept(entries: readonly NamedNode[]): KnownEntries | undefined {
    const { indexer } = this.#parts
    const last = entries.at(-1)?.[0]
    const isThere = entries.every(([path, node]) => node.bytes === undefined || this.#hasStill(path, node))
    const first = isThere ? indexer.append(entries) : undefined
    if (last === undefined || first === undefined) return undefined
    this.#held = undefined
    for (const [path, node] of entries) {
      this.#left.delete(path)
      if (node.bytes !== undefined) this.#isUsed = true
      if (this.#isSame) this.#deferred.push([path, node])
      else this.#put(path, node)
    }
    return { first, last }
  }

  #hasStill(path: RawName, node: TarNode): boolean {
    return this.#left.has(path) && this.#layer.has(path, node)
  }

  mayHave(): boolean {
    return this.#held !== undefined
  }

  has(): boolean {
    const held = this.#held
    this.#held = undefined
    if (held === undefined) return false
    const { path, node } = held
    const digest = this.#parts.indexer.index.get(path)?.bytes?.digest
    if (digest !== node.bytes?.digest || !this.#layer.has(path, node)) {
      this.#differ()
      return false
    }
    if (!this.#isSame && !this.#link(path, node)) return false
    if (this.#isSame) this.#deferred.push([path, node])
    this.#isUsed = true
    return true
  }

  /** To be called at the end. */
  finish(): void {
    const { indexer, texts } = this.#parts
    if (
      this.#left.size > 0 ||
      !this.#isUsed ||
      !indexer.isPlain ||
      [...texts].some((path) => isThroughLink(path, indexer.index))
    )
      this.#differ()
    // their folders have changed by the names that they got
    if (this.#isUsed && !this.#isSame) setFolderTimes(this.#parts.root, this.#parts.indexer.index)
  }

  #differ(): void {
    this.#isSame = false
    const deferred = this.#deferred
    this.#deferred = []
    for (const [path, node] of deferred) this.#put(path, node)
  }

  #link(path: RawName, node: TarNode): boolean {
    return this.#parts.handOver(path, node) || this.#layer.link(path, this.#parts.root)
  }

  #put(path: RawName, node: TarNode): void {
    // a folder may have come once more
    const now = isFolder(node) ? (this.#parts.indexer.index.get(path) ?? node) : node
    if (!this.#parts.handOver(path, now)) putEntry(path, now, this.#layer, this.#parts)
  }
}

function readStretches(path: string): IndexedStretches | undefined {
  try {
    const notes = JSON.parse(readFileSync(path, 'utf8')) as Partial<IndexedStretches>
    // an earlier mica did not say of which index they are
    return typeof notes.index === 'string' ? (notes as IndexedStretches) : undefined
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What is in the layer gets a second name; the rest is made. What stands there already stays. */
export function putEntry(
  path: RawName,
  node: TarNode,
  layer: KnownLayer,
  { root, owner }: Pick<Parts, 'root' | 'owner'>,
): void {
  if (node.bytes !== undefined) return layer.put(path, root)
  if (!isFolder(node) && node.link === undefined) return
  const isThere = lstatSync(entryIn(root, path), { throwIfNoEntry: false }) !== undefined
  const attributes = { mode: node.mode & 0o7777, owner, xattrs: [] }
  const writer = new TreeWriter(root)
  const [parent, name] = [folderOf(path), posix.basename(path)]
  if (isFolder(node)) writer.folder(parent, name, attributes)
  else if (!isThere) writer.link(parent, name, { ...attributes, mtime: BigInt(node.mtime) }, node.link ?? '')
}

function folderOf(path: RawName): RawName {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export interface CompleteInput {
  readonly folder: string
  readonly index: string
  /** Of the index. */
  readonly digest?: string
  readonly known: KnownInput
}

/** Gives a context the files that it was received without. */
export function completeContext(input: CompleteInput): void {
  using root = new ConfinedRoot(input.folder)
  using layer = new KnownLayer(input.known)
  const index = readTarIndex(input.index, input.digest)
  const owner = ownIds()
  const files = new Map(filesBelow(index, input.known.source))
  for (const [path, node] of index) {
    // a folder may be there without its attributes, for the sake of what came after all
    if (path !== '' && (node.bytes === undefined || files.has(path))) putEntry(path, node, layer, { root, owner })
  }
  setFolderTimes(root, index)
}

/** Whose the files of a context are. */
export function ownIds(): Owner {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
}

function filesBelow(index: ReadonlyMap<RawName, TarNode>, source: RawName): readonly NamedNode[] {
  return [...index].filter(([path, { bytes }]) => bytes !== undefined && isBelow(path, source))
}

function isBelow(path: RawName, source: RawName): boolean {
  return source === '' || path === source || path.startsWith(`${source}/`)
}

function hasFacts(node: TarNode, { kind, mode, mtime, size, xattrs }: TarEntry): boolean {
  if (kind !== 'file' || node.mode !== (constants.S_IFREG | (mode & 0o7777)) || node.bytes?.size !== size) return false
  return node.mtime === String(mtime) && node.xattrs === undefined && !xattrs.has('security.capability')
}

/** What it leads to may be one of the files that are not written. */
function isThroughLink(path: RawName, index: ReadonlyMap<RawName, TarNode>): boolean {
  const parts = path.split('/')
  return parts.some((_, at) => index.get(parts.slice(0, at + 1).join('/'))?.link !== undefined)
}

/** Inner folders first. */
function setFolderTimes(root: ConfinedRoot, index: ReadonlyMap<RawName, TarNode>): void {
  for (const [path, node] of [...index].toReversed()) {
    if (path === '' || !isFolder(node) || node.mtime === '') continue
    setTimes(entryIn(root, path), BigInt(node.mtime), BigInt(node.mtime))
  }
}
