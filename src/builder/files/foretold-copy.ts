import { createHash } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { posix } from 'node:path'
import type { RawName, TarKind } from '#archive'
import { cancelled } from '#base'
import { listXattrs } from '#kernel'
import type { Owner, Xattr } from '#tree'
import { ROOT } from './owner.ts'
import type { Landing } from './copy-tree.ts'
import { LayerForecast } from './foreseen-layer.ts'
import type { EarlierLayer } from './layer-files.ts'
import { type Entry, join, type Selection, standing } from './select.ts'
import type { ReadTree } from './tree-hash.ts'

/** The layer of a copy that another thread carries out meanwhile. */
export interface ForetoldCopy {
  /** What the copy has to have made, as `MadeHash` says it; else nothing is known. */
  readonly made: string
  /** Digest and bytes of the layer's tar, and bytes of the files in it. */
  readonly diffId: string
  readonly size: number
  readonly content: number
}

const SECOND = 1_000_000_000n
/** Characters that are hashed together. */
const AT_ONCE = 1 << 16

interface MadeEntry {
  readonly kind: Entry['kind']
  readonly mode: number
  readonly owner: Owner
  readonly mtime: bigint
  readonly xattrs: readonly Xattr[]
  /** Digest of a file, target of a link. */
  readonly content?: string | undefined
}

/** All that a layer's tar says of the entries of a copy, as one hash: places, kinds, modes, owners, times, digests, targets. */
export class MadeHash {
  readonly #hash = createHash('sha256')
  #text: string
  #isPlain = true
  /** Some entry: where the layer has it, with the time it is to have. */
  #sample: { readonly path: RawName; readonly mtime: bigint } | undefined

  /** `place`: what the copy makes in the layer. */
  constructor(place: RawName, isFolder: boolean) {
    this.#text = `${place}\0${isFolder}\0`
  }

  /** `path`: in the layer. */
  add(path: RawName, { kind, mode, owner, mtime, xattrs, content = '' }: MadeEntry): void {
    // neither attributes nor devices are foretold
    if (xattrs.length > 0 || kind === 'node') this.#isPlain = false
    const bits = kind === 'link' ? 0 : mode & 0o7777
    this.#text += `${path}\0${kind}\0${bits}\0${owner.uid}:${owner.gid}\0${mtime}\0${content}\0`
    const isTelling = this.#sample === undefined || this.#sample.mtime % SECOND === 0n
    if (isTelling && kind !== 'link') this.#sample = { path, mtime }
    if (this.#text.length < AT_ONCE) return
    this.#hash.update(this.#text, 'latin1')
    this.#text = ''
  }

  /** Undefined where something of it is not in the hash. */
  digest(): string | undefined {
    this.#hash.update(this.#text, 'latin1')
    return this.#isPlain ? this.#hash.digest('hex') : undefined
  }

  /** A file system may round times, or give new files attributes of its own: false where it did. */
  isKept({ root }: Landing): boolean {
    if (this.#sample === undefined) return true
    const { path, mtime } = this.#sample
    const at = root.entry(parentOf(path), posix.basename(path))
    return lstatSync(at, { bigint: true }).mtimeNs === mtime && listXattrs(at).length === 0
  }
}

/** What is to be copied, and where to: a new name of the root. */
export interface Foretelling {
  readonly tree: ReadTree
  readonly earlier: EarlierLayer
  readonly destination: RawName
  /** The destination is meant as a folder. */
  readonly isFolder: boolean
  /** The time of the folder that the copy makes. */
  readonly madeAt: bigint
}

/**
 * Hashes the layer of a copy beside it: what the copy takes from an earlier layer is read from there, the rest from where it is copied
 * from. Undefined where nothing can be said.
 */
export function foretellCopy(foretelling: Foretelling, selections: readonly Selection[]): ForetoldCopy | undefined {
  const [selection, ...others] = selections
  if (selection === undefined || others.length > 0) return undefined
  const { place: source, name, entries } = selection
  const { destination, isFolder, madeAt, tree } = foretelling
  const forecast = new LayerForecast({ source, name, destination, isFolder }, ROOT, { madeAt })
  const isWhole = entries[0]?.kind === 'folder'
  const made = new MadeHash(destination, isWhole || isFolder)
  const top = !isWhole && isFolder ? join(destination, name) : destination
  for (const entry of entries) {
    if (tree.context.cancelled()) throw cancelled('hash a layer')
    const place = join(top, entry.path)
    const content = addEntry(forecast, foretelling, { selection, entry, place })
    if (content === undefined) return undefined
    if (entry.path === '' && entry.kind === 'folder') continue
    const { stat, kind } = entry
    made.add(place, { kind, mode: Number(stat.mode), owner: ROOT, mtime: stat.mtimeNs, xattrs: [], content })
  }
  const layer = forecast.finish()
  const digest = made.digest()
  if (layer === undefined || digest === undefined) return undefined
  return { made: digest, diffId: layer.diffId, size: layer.size, content: layer.content }
}

const KINDS: Readonly<Record<Entry['kind'], TarKind>> = {
  file: 'file',
  folder: 'directory',
  link: 'symlink',
  node: 'character',
}

/** Digest of a file, target of a link; undefined for what is not foretold. */
function addEntry(
  forecast: LayerForecast,
  { tree, earlier }: Foretelling,
  { selection, entry, place }: { readonly selection: Selection; readonly entry: Entry; readonly place: RawName },
): string | undefined {
  const { kind, stat, link = '' } = entry
  const path = join(selection.place, entry.path)
  const facts = { kind: KINDS[kind], mode: Number(stat.mode) & 0o7777, mtime: stat.mtimeNs, link, xattrs: NONE }
  if (kind !== 'file') {
    forecast.entry(path, { ...facts, size: 0 })
    return kind === 'node' ? undefined : link
  }
  forecast.entry(path, { ...facts, size: Number(stat.size) })
  const [folder, name] = standing(selection, entry)
  let left = Number(stat.size)
  const take = (chunk: Buffer): void => {
    left -= chunk.length
    if (left >= 0) forecast.body(chunk)
  }
  const known = tree.source.known(folder, name, stat)
  const isThere = known !== undefined && earlier.read(place, known.digest, take)
  const digest = isThere ? known.digest : tree.source.read(folder, name, take).digest
  return left === 0 ? digest : undefined
}

const NONE: ReadonlyMap<string, Buffer> = new Map()

function parentOf(path: RawName): RawName {
  const folder = posix.dirname(path)
  return folder === '.' ? '' : folder
}
