import { linkSync, readFileSync, writeFileSync } from 'node:fs'
import { errnoOf } from '#base'
import { type Attributes, ConfinedRoot } from '#tree'

/** Fewer files are copied sooner than looked up. */
const WORTH = 256

/** Digests of the files that a copy put into a layer, by their raw path: kept for the next copy of the same files. */
export class LayerFiles {
  readonly #files: (readonly [path: string, digest: string])[] = []

  note(path: string, digest: string): void {
    this.#files.push([path, digest])
  }

  save(file: string): void {
    if (this.#files.length >= WORTH) writeFileSync(file, JSON.stringify(this.#files), { mode: 0o600 })
  }
}

/** A layer that the same copy made before, and that does not change any more. */
export class EarlierLayer implements Disposable {
  readonly #root: ConfinedRoot
  readonly #digests: ReadonlyMap<string, string>

  /** `upper` is its folder, `files` what `LayerFiles` saved. */
  constructor({ upper, files }: { readonly upper: string; readonly files: string }) {
    this.#root = new ConfinedRoot(upper)
    this.#digests = new Map(readFiles(files))
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]()
  }

  /** Makes a new name in `to`, at the same place, a second one of its file, where that has the same bytes and attributes. */
  link({ folder, name }: Place, wanted: Wanted, to: ConfinedRoot): boolean {
    if (this.#digests.get(folder === '' ? name : `${folder}/${name}`) !== wanted.digest) return false
    const stat = this.#root.lstat(folder, name)
    const { mode, owner, mtime } = wanted.attributes
    if (stat?.isFile() !== true || stat.size !== wanted.size || Number(stat.mode) % 0o10000 !== mode) return false
    if (stat.mtimeNs !== mtime || Number(stat.uid) !== owner.uid || Number(stat.gid) !== owner.gid) return false
    return isLinked(() => to.link(folder, name, { root: this.#root, folder, name }))
  }
}

interface Place {
  readonly folder: string
  readonly name: string
}

interface Wanted {
  readonly digest: string
  readonly size: bigint
  readonly attributes: Omit<Attributes, 'xattrs'>
}

/** A second name for a file; false where the place or the file system takes none. */
export function linked(from: string | Buffer, to: string | Buffer): boolean {
  return isLinked(() => linkSync(from, to))
}

/** False where a link could not be made, for reasons that let the file be copied. */
export function isLinked(link: () => void): boolean {
  try {
    link()
    return true
  } catch (error) {
    if (['EXDEV', 'EEXIST', 'EMLINK', 'EPERM'].includes(errnoOf(error) ?? '')) return false
    throw error
  }
}

function readFiles(file: string): readonly (readonly [string, string])[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as readonly (readonly [string, string])[]
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
