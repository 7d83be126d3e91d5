import { closeSync, constants, openSync, readSync } from 'node:fs'
import { posix } from 'node:path'
import { corrupt } from '#base'
import { ConfinedRoot, type Xattr } from '#tree'
import type { FileFacts } from './file-digests.ts'
import type { EntryStat, SourceTree } from './source-tree.ts'
import { isFolder, readTarIndex } from './tar-index.ts'
import type { TarNode } from './tar-index.ts'

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW
const CHUNK = 1 << 20
const NO_XATTRS: readonly Xattr[] = []
/** As the kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40

/** A context that was received: what is known of its files is in the index, their bytes are in the folder, of the same names. */
export class ReceivedTree implements SourceTree, Disposable {
  readonly #folder: string
  /** Only once bytes are wanted: a hash wants none. */
  #root: ConfinedRoot | undefined
  readonly #index: ReadonlyMap<string, TarNode>
  readonly #names: ReadonlyMap<string, readonly string[]>
  /** The folder that was asked for last, and what it means. */
  #folderAsked: { readonly path: string; readonly place: string | undefined } | undefined
  readonly #now = BigInt(Date.now()) * 1_000_000n

  /** `digest`: the index's, where it is known. */
  constructor(folder: string, index: string, digest: string | undefined) {
    this.#folder = folder
    this.#index = readTarIndex(index, digest)
    this.#names = namesIn(this.#index)
  }

  [Symbol.dispose](): void {
    this.#root?.[Symbol.dispose]()
  }

  resolve(path: string): string | undefined {
    return resolveIn(this.#index, path)
  }

  stat(path: string): EntryStat | undefined {
    const place = this.resolve(path)
    return place === undefined ? undefined : this.#statOf(place)
  }

  list(folder: string): readonly string[] {
    const place = this.resolve(folder)
    return (place === undefined ? undefined : this.#names.get(place)) ?? []
  }

  lstat(folder: string, name: string): EntryStat | undefined {
    return this.#statOf(this.#placeOf(folder, name))
  }

  target(folder: string, name: string): string {
    return this.#index.get(this.#placeOf(folder, name))?.link ?? ''
  }

  xattrs(folder: string, name: string): readonly Xattr[] {
    const found = this.#index.get(this.#placeOf(folder, name))?.xattrs
    return found === undefined
      ? NO_XATTRS
      : found.map(([key, value]) => ({ name: key, value: Buffer.from(value, 'hex') }))
  }

  known(folder: string, name: string): FileFacts {
    return { digest: this.#bytesOf(folder, name).digest, xattrs: this.xattrs(folder, name) }
  }

  read(folder: string, name: string, take: (chunk: Buffer) => void = () => undefined): FileFacts {
    this.#open(folder, name, (fd) => {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, this.#bytesOf(folder, name).size + 1))
      for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) take(buffer.subarray(0, read))
    })
    return this.known(folder, name)
  }

  head(folder: string, name: string, length: number): Buffer {
    const buffer = Buffer.alloc(length)
    return this.#open(folder, name, (fd) => buffer.subarray(0, readSync(fd, buffer)))
  }

  /** True where a selection is all that is below its place. */
  isWhole(place: string, entries: number): boolean {
    let count = 0
    for (const path of this.#index.keys())
      if (place === '' || path === place || path.startsWith(`${place}/`)) count += 1
    return count === entries
  }

  /** A path for node:fs to what stands at a place. */
  pathOf(place: string): string | Buffer {
    if (place === '') return this.#folder
    this.#root ??= new ConfinedRoot(this.#folder)
    return this.#root.entry(parentOf(place), posix.basename(place))
  }

  pathAt(folder: string, name: string): string | Buffer {
    return this.pathOf(this.#placeOf(folder, name))
  }

  #open<T>(folder: string, name: string, use: (fd: number) => T): T {
    const fd = openSync(this.pathAt(folder, name), READ_FLAGS)
    try {
      return use(fd)
    } finally {
      closeSync(fd)
    }
  }

  #placeOf(folder: string, name: string): string {
    if (this.#folderAsked?.path !== folder) this.#folderAsked = { path: folder, place: this.resolve(folder) }
    const place = this.#folderAsked.place ?? folder
    if (name === '') return place
    return place === '' ? name : `${place}/${name}`
  }

  #bytesOf(folder: string, name: string): NonNullable<TarNode['bytes']> {
    const bytes = this.#index.get(this.#placeOf(folder, name))?.bytes
    if (bytes === undefined) throw corrupt(`cannot read ${name} of the build context: it is no file`)
    return bytes
  }

  #statOf(place: string): EntryStat | undefined {
    const node = this.#index.get(place)
    if (node === undefined) return undefined
    return new NodeStat(node, this.#now)
  }
}

/** What an index says; a copy that moves its files asks for little of it. */
class NodeStat implements EntryStat {
  readonly #node: TarNode
  readonly #now: bigint
  readonly uid = 0n
  readonly gid = 0n
  readonly ctimeNs = 0n
  readonly nlink = 1n
  readonly dev = 0n
  readonly ino = 0n

  /** `now`: the time of a folder that the archive only implies. */
  constructor(node: TarNode, now: bigint) {
    this.#node = node
    this.#now = now
  }

  get mode(): bigint {
    return BigInt(this.#node.mode)
  }

  get rdev(): bigint {
    return BigInt(this.#node.device ?? 0)
  }

  get mtimeNs(): bigint {
    return this.#node.mtime === '' ? this.#now : BigInt(this.#node.mtime)
  }

  get size(): bigint {
    return BigInt(this.#node.bytes?.size ?? 0)
  }
}

/** The sorted names in each folder. */
function namesIn(index: ReadonlyMap<string, TarNode>): ReadonlyMap<string, readonly string[]> {
  const all = new Map<string, string[]>()
  // most entries come behind another one of their folder
  let [folder, names]: [string, string[]] = ['', []]
  all.set(folder, names)
  for (const path of index.keys()) {
    if (path === '') continue
    const slash = path.lastIndexOf('/')
    if (slash !== folder.length || !path.startsWith(folder)) {
      folder = path.slice(0, Math.max(0, slash))
      names = all.get(folder) ?? []
      all.set(folder, names)
    }
    names.push(path.slice(slash + 1))
  }
  for (const each of all.values()) each.sort()
  return all
}

/** The place that a path means, as a process sees it whose root is the archive's. */
function resolveIn(index: ReadonlyMap<string, TarNode>, path: string): string | undefined {
  const rest = path.split('/').toReversed()
  let place: readonly string[] = []
  for (let links = 0, name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      place = place.slice(0, -1)
      continue
    }
    const here = index.get(place.join('/'))
    const next = [...place, name]
    const node = here !== undefined && isFolder(here) ? index.get(next.join('/')) : undefined
    if (node === undefined) return undefined
    if (node.link === undefined) place = next
    else {
      if (++links > MAX_LINKS) return undefined
      if (node.link.startsWith('/')) place = []
      rest.push(...node.link.split('/').toReversed())
    }
  }
  return place.join('/')
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
