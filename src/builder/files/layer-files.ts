import { closeSync, constants, linkSync, lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { errnoOf } from '#base'
import { readBytes } from '#kernel'
import { type Attributes, ConfinedRoot } from '#tree'
import type { Copy, EntryCopy } from './copy-tree.ts'
import type { FileFacts } from './file-digests.ts'
import { attributesOf } from './owner.ts'
import { ReceivedTree } from './received-tree.ts'
import { standing } from './select.ts'

/** Fewer files are copied sooner than looked up. */
const WORTH = 256
const CHUNK = 1 << 18

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
  #buffer: Buffer | undefined

  /** `upper` is its folder, `files` what `LayerFiles` saved. */
  constructor({ upper, files }: { readonly upper: string; readonly files: string }) {
    this.#root = new ConfinedRoot(upper)
    this.#digests = new Map(readFiles(files))
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]()
  }

  /** Gives what is in its file at that raw place to `take`, where that has these bytes. */
  read(place: string, digest: string, take: (chunk: Buffer) => void): boolean {
    if (this.#digests.get(place) !== digest) return false
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(CHUNK))
    const slash = place.lastIndexOf('/')
    const fd = this.#root.openEntry(place.slice(0, Math.max(0, slash)), place.slice(slash + 1), constants.O_RDONLY)
    try {
      for (let at = 0, count = -1; count !== 0; at += count) {
        count = readBytes(fd, buffer, buffer.length, at)
        if (count > 0) take(buffer.subarray(0, count))
      }
    } finally {
      closeSync(fd)
    }
    return true
  }

  /** False where too little was noted to be of use. */
  get isNoted(): boolean {
    return this.#digests.size > 0
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

/** A name in the layer. */
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
function linked(from: string | Buffer, to: string | Buffer): boolean {
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

type Linking = Pick<EntryCopy, 'tree' | 'selection' | 'entry'>

/** Puts a file into a new place of the layer as a second name of one that is there. Undefined where it has to be copied. */
export function linkFile(copy: Copy, from: Linking, to: Place): FileFacts | undefined {
  if (copy.landing === undefined) return undefined
  return from.tree.source instanceof ReceivedTree
    ? linkReceived(copy, from.tree.source, from, to)
    : linkEarlier(copy, from, to)
}

/** A file of a received context, as long as it has no other name: two layers of one root must not show it as one file. */
function linkReceived(
  copy: Copy,
  source: ReceivedTree,
  { tree, selection, entry }: Linking,
  to: Place,
): FileFacts | undefined {
  if (tree.use === 'copy' || hasOwnAttributes(copy)) return undefined
  const [folder, name] = standing(selection, entry)
  const from = source.pathAt(folder, name)
  return lstatSync(from).nlink === 1 && linked(from, placeIn(copy, to)) ? source.known(folder, name) : undefined
}

/** A file that has not changed since the same copy was made before. */
function linkEarlier(copy: Copy, { tree, selection, entry }: Linking, to: Place): FileFacts | undefined {
  if (copy.earlier === undefined) return undefined
  const facts = tree.source.known(...standing(selection, entry), entry.stat)
  if (facts === undefined || facts.xattrs.length > 0) return undefined
  const wanted = { digest: facts.digest, size: entry.stat.size, attributes: attributesOf(copy, entry) }
  return copy.earlier.link(to, wanted, copy.landing?.root ?? copy.target.root) ? facts : undefined
}

function placeIn(copy: Copy, { folder, name }: Place): string | Buffer {
  return (copy.landing?.root ?? copy.target.root).entry(folder, name)
}

/** Owner or mode are not those of the source. */
export function hasOwnAttributes(copy: Copy): boolean {
  return copy.owner !== undefined || copy.mode !== undefined
}
