import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { cancelled, internal } from '#base'
import type { JobContext } from '#kernel'
import type { Xattr } from '#tree'
import type { RawName } from '#archive'
import { standing } from './select.ts'
import type { Entry, Selection } from './select.ts'
import { kindOf } from './source-tree.ts'
import type { SourceTree } from './source-tree.ts'
import type { TarNode } from './tar-index.ts'

/** What is read. */
export interface ReadTree {
  readonly source: SourceTree
  /** Owners count: for copies that keep them. */
  readonly owners: boolean
  readonly use: 'move' | 'link' | 'copy'
  readonly context: JobContext
}

/** Characters that are hashed together. */
const AT_ONCE = 1 << 16

/** The hash of selections: names, kinds, modes, links, devices, capabilities, bytes, and owners where they count; never times. */
export class TreeHash {
  readonly #hash: Hash = createHash('sha256')
  readonly #owners: boolean
  #text = ''

  constructor(owners: boolean) {
    this.#owners = owners
  }

  begin({ name, entries }: Selection): void {
    this.#add(lineOf('source', name, entries.length))
  }

  /** `digest` is a file's. */
  entry(entry: Entry, facts: { readonly digest?: string; readonly xattrs: readonly Xattr[] }): void {
    const { stat } = entry
    const owner = this.#owners ? `${stat.uid}:${stat.gid}` : ''
    const content = facts.digest ?? entry.link ?? (entry.kind === 'node' ? `${stat.rdev}` : '')
    const mode = entry.kind === 'link' ? 0 : Number(stat.mode)
    const xattrs = facts.xattrs.map(({ name, value }) => `${name}=${value.toString('hex')}`)
    this.#add(lineOf(entry.kind, entry.path, mode, owner, content, xattrs.join(' ')))
  }

  digest(): string {
    this.#hash.update(this.#text)
    return this.#hash.digest('hex')
  }

  #add(line: string): void {
    this.#text += line
    if (this.#text.length < AT_ONCE) return
    this.#hash.update(this.#text)
    this.#text = ''
  }
}

function lineOf(...parts: readonly (string | number)[]): string {
  return `${JSON.stringify(parts)}\n`
}

/**
 * The hash of one selection of a received context, from its entries as they come, in the order of a tree: no owners count, and how
 * many they are need not be known before.
 */
export class ComingHash {
  readonly #nodeOf: (path: RawName) => TarNode | undefined
  readonly #chunks: Buffer[] = []
  #text = ''
  #last: { readonly path: RawName; readonly place: RawName } | undefined

  /** `nodeOf`: what stands at a place in the context; asked once that entry is over. */
  constructor(nodeOf: (place: RawName) => TarNode | undefined) {
    this.#nodeOf = nodeOf
  }

  /** `path`: below what is selected. */
  entry(path: RawName, place: RawName): void {
    this.#endEntry()
    this.#last = { path, place }
  }

  /** `isFolder`: what is selected is one, and was no entry. Undefined for a link (what it leads to is selected), and for a folder with attributes. */
  digest(
    selection: { readonly name: RawName; readonly place: RawName; readonly isFolder: boolean },
    entries: number,
  ): string | undefined {
    this.#endEntry()
    const { name, place, isFolder } = selection
    const top = this.#nodeOf(place)
    if (top?.link !== undefined || top?.xattrs !== undefined) return undefined
    const hash = createHash('sha256').update(lineOf('source', name, entries))
    if (isFolder) hash.update(this.#lineAt('', place))
    for (const chunk of this.#chunks) hash.update(chunk)
    return hash.update(this.#text).digest('hex')
  }

  #endEntry(): void {
    if (this.#last === undefined) return
    const { path, place } = this.#last
    this.#last = undefined
    this.#text += this.#lineAt(path, place)
    if (this.#text.length < AT_ONCE) return
    this.#chunks.push(Buffer.from(this.#text))
    this.#text = ''
  }

  #lineAt(path: RawName, place: RawName): string {
    const node = this.#nodeOf(place)
    if (node === undefined) throw internal(`cannot hash ${place} of a build context: it has not come`)
    const kind = kindOf(node)
    return lineOf(kind, path, kind === 'link' ? 0 : node.mode, '', node.bytes?.digest ?? node.link ?? '', '')
  }
}

/** Hashes without copying; an unchanged file costs its stat. */
export function hashSelections(tree: ReadTree, selections: readonly Selection[]): string {
  const hash = new TreeHash(tree.owners)
  for (const selection of selections) {
    hash.begin(selection)
    for (const entry of selection.entries) {
      if (tree.context.cancelled()) throw cancelled('hash files')
      const [folder, name] = standing(selection, entry)
      if (entry.kind === 'file')
        hash.entry(entry, tree.source.known(folder, name, entry.stat) ?? tree.source.read(folder, name))
      else hash.entry(entry, { xattrs: entry.kind === 'link' ? [] : tree.source.xattrs(folder, name) })
    }
  }
  return hash.digest()
}
