import { chmodSync, copyFileSync, lchownSync, lstatSync } from 'node:fs'
import type { RawName } from '#archive'
import { setTimes } from '#kernel'
import { ConfinedRoot } from '#tree'
import { isLinked } from './layer-files.ts'
import type { TarNode } from './tar-index.ts'

/** A context that was received before, whose files are in a layer now. */
export interface KnownInput {
  /** The layer's folder. */
  readonly upper: string
  /** What of the context is there, and where. */
  readonly source: RawName
  readonly place: RawName
  /** The index of that context, and what it was in its tar. */
  readonly index: string
  readonly stretches: string
}

/** The layer's files, by their places in the context. */
export class KnownLayer implements Disposable {
  readonly #root: ConfinedRoot
  readonly #source: RawName
  readonly #place: RawName
  readonly #owner = process.geteuid?.()

  constructor({ upper, source, place }: KnownInput) {
    this.#root = new ConfinedRoot(upper)
    this.#source = source
    this.#place = place
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]()
  }

  /** True where the file still looks as it was noted. */
  has(path: RawName, { mode, mtime, bytes }: TarNode): boolean {
    const { folder, name } = placeOf(this.#inLayer(path))
    const stat = this.#root.lstat(folder, name)
    if (stat === undefined || Number(stat.mode) !== mode || String(stat.mtimeNs) !== mtime) return false
    return Number(stat.size) === bytes?.size && Number(stat.uid) === this.#owner
  }

  /** Gives the file a second name in a context. False where it takes none. */
  link(path: RawName, context: ConfinedRoot): boolean {
    return isLinked(() => {
      const { folder, name } = placeOf(path)
      context.link(folder, name, { root: this.#root, ...placeOf(this.#inLayer(path)) })
    })
  }

  /** The file in a context, by a second name or as a copy; what stands there already stays. */
  put(path: RawName, context: ConfinedRoot): void {
    if (this.link(path, context)) return
    const from = this.#at(path)
    const to = entryIn(context, path)
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return
    copyFileSync(from, to)
    const { mode, uid, gid, mtimeNs } = lstatSync(from, { bigint: true })
    lchownSync(to, Number(uid), Number(gid))
    chmodSync(to, Number(mode) & 0o7777)
    setTimes(to, mtimeNs, mtimeNs)
  }

  #at(path: RawName): string | Buffer {
    return entryIn(this.#root, this.#inLayer(path))
  }

  #inLayer(path: RawName): RawName {
    return `${this.#place}${this.#source === '' ? `/${path}` : path.slice(this.#source.length)}`
  }
}

/** A path for node:fs to what stands at a place. */
export function entryIn(root: ConfinedRoot, path: RawName): string | Buffer {
  const { folder, name } = placeOf(path)
  return root.entry(folder, name)
}

function placeOf(path: RawName): { readonly folder: RawName; readonly name: RawName } {
  const slash = path.lastIndexOf('/')
  return { folder: path.slice(0, Math.max(0, slash)), name: path.slice(slash + 1) }
}
