import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { cancelled } from '#base'
import type { JobContext } from '#kernel'
import type { Xattr } from '#tree'
import { standing } from './select.ts'
import type { Entry, Selection } from './select.ts'
import type { SourceTree } from './source-tree.ts'

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

  begin(selection: Selection): void {
    this.#add('source', selection.name, selection.entries.length)
  }

  /** `digest` is a file's. */
  entry(entry: Entry, facts: { readonly digest?: string; readonly xattrs: readonly Xattr[] }): void {
    const { stat } = entry
    const owner = this.#owners ? `${stat.uid}:${stat.gid}` : ''
    const content = facts.digest ?? entry.link ?? (entry.kind === 'node' ? `${stat.rdev}` : '')
    const mode = entry.kind === 'link' ? 0 : Number(stat.mode)
    const xattrs = facts.xattrs.map(({ name, value }) => `${name}=${value.toString('hex')}`)
    this.#add(entry.kind, entry.path, mode, owner, content, xattrs.join(' '))
  }

  digest(): string {
    this.#hash.update(this.#text)
    return this.#hash.digest('hex')
  }

  #add(...parts: readonly (string | number)[]): void {
    this.#text += `${JSON.stringify(parts)}\n`
    if (this.#text.length < AT_ONCE) return
    this.#hash.update(this.#text)
    this.#text = ''
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
