import { constants, lstatSync } from 'node:fs'
import { componentsOfName, type RawName, type TarEntry } from '#archive'
import { setTimes } from '#kernel'
import { ConfinedRoot, type FileStand } from '#tree'
import { entryIn, type KnownInput, KnownLayer } from './known-layer.ts'
import { isFolder, readTarIndex, type TarIndex, type TarIndexer, type TarNode } from './tar-index.ts'

/** Larger files are written as they come. Bytes. */
const MOST_HELD = 4 << 20

interface Parts {
  /** Where the context is unpacked. */
  readonly root: ConfinedRoot
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
  readonly #parts: Parts
  readonly #left: Map<RawName, TarNode>
  #deferred: RawName[] = []
  #held: { readonly path: RawName; readonly node: TarNode } | undefined
  #isSame: boolean
  #isUsed = false

  constructor(input: KnownInput, parts: Parts) {
    this.#layer = new KnownLayer(input)
    this.#parts = parts
    this.#left = new Map(filesBelow(readTarIndex(input.index), input.source))
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
    const path = componentsOfName(entry.path).join('/')
    const node = this.#left.get(path)
    this.#left.delete(path)
    if (node !== undefined && hasFacts(node, entry)) {
      if (entry.size <= MOST_HELD) this.#held = { path, node }
    } else if (
      node !== undefined ||
      entry.kind === 'hardlink' ||
      (entry.kind === 'file' && !this.#parts.texts.has(path))
    )
      this.#differ()
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
    if (!this.#isSame && !this.#layer.link(path, this.#parts.root)) return false
    if (this.#isSame) this.#deferred.push(path)
    this.#isUsed = true
    return true
  }

  /** To be called at the end. */
  finish(): void {
    const { indexer, texts } = this.#parts
    if (this.#left.size > 0 || !indexer.isPlain || [...texts].some((path) => isThroughLink(path, indexer.index)))
      this.#differ()
    // their folders have changed by the names that they got
    if (this.#isUsed && !this.#isSame) setFolderTimes(this.#parts.root, this.#parts.indexer.index)
  }

  #differ(): void {
    this.#isSame = false
    const deferred = this.#deferred
    this.#deferred = []
    for (const path of deferred) this.#layer.put(path, this.#parts.root)
  }
}

export interface CompleteInput {
  readonly folder: string
  readonly index: string
  readonly known: KnownInput
}

/** Gives a context the files that it was received without. */
export function completeContext(input: CompleteInput): void {
  using root = new ConfinedRoot(input.folder)
  using layer = new KnownLayer(input.known)
  const index = readTarIndex(input.index)
  for (const [path] of filesBelow(index, input.known.source))
    if (lstatSync(entryIn(root, path), { throwIfNoEntry: false }) === undefined) layer.put(path, root)
  setFolderTimes(root, index)
}

function filesBelow(index: TarIndex, source: RawName): readonly (readonly [RawName, TarNode])[] {
  const isBelow = (path: RawName): boolean => source === '' || path === source || path.startsWith(`${source}/`)
  return [...index].filter(([path, { bytes }]) => bytes !== undefined && isBelow(path))
}

function hasFacts(node: TarNode, { kind, mode, mtime, size, xattrs }: TarEntry): boolean {
  if (kind !== 'file' || node.mode !== (constants.S_IFREG | (mode & 0o7777)) || node.bytes?.size !== size) return false
  return node.mtime === String(mtime) && node.xattrs === undefined && !xattrs.has('security.capability')
}

/** What it leads to may be one of the files that are not written. */
function isThroughLink(path: RawName, index: TarIndex): boolean {
  const parts = path.split('/')
  return parts.some((_, at) => index.get(parts.slice(0, at + 1).join('/'))?.link !== undefined)
}

/** Inner folders first. */
function setFolderTimes(root: ConfinedRoot, index: TarIndex): void {
  for (const [path, node] of [...index].toReversed()) {
    if (path === '' || !isFolder(node) || node.mtime === '') continue
    setTimes(entryIn(root, path), BigInt(node.mtime), BigInt(node.mtime))
  }
}
