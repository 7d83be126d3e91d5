import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { posix } from 'node:path'
import { corrupt } from '#base'
import type { Xattr } from '#tree'
import type { FileFacts } from './file-digests.ts'
import type { EntryStat, SourceTree } from './source-tree.ts'
import { isFolder } from './tar-index.ts'
import type { TarIndex, TarNode } from './tar-index.ts'

/** A tar that came as a context, and its index: two files of the builder's own. */
export interface IndexedTar {
  readonly file: string
  readonly index: string
}

const CHUNK = 1 << 20
/** As the kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40

function readIndex(path: string): TarIndex {
  return new Map(JSON.parse(readFileSync(path, 'utf8')) as [string, TarNode][])
}

/** The files of a tar, read where they stand in it: nothing is unpacked. */
export class TarTree implements SourceTree, Disposable {
  readonly #fd: number
  readonly #index: TarIndex
  readonly #names = new Map<string, string[]>()
  readonly #now = BigInt(Date.now()) * 1_000_000n

  constructor({ file, index }: IndexedTar) {
    this.#index = readIndex(index)
    for (const path of this.#index.keys()) if (path !== '') this.#nameIn(parentOf(path), posix.basename(path))
    for (const names of this.#names.values()) names.sort()
    this.#fd = openSync(file, 'r')
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
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
    const found = this.#index.get(this.#placeOf(folder, name))?.xattrs ?? []
    return found.map(([key, value]) => ({ name: key, value: Buffer.from(value, 'hex') }))
  }

  known(folder: string, name: string): FileFacts {
    return { digest: this.#bytesOf(folder, name).digest, xattrs: this.xattrs(folder, name) }
  }

  read(folder: string, name: string, take: (chunk: Buffer) => void = () => undefined): FileFacts {
    const { start, size } = this.#bytesOf(folder, name)
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size))
    for (let done = 0; done < size;) {
      const read = readSync(this.#fd, buffer, 0, Math.min(buffer.length, size - done), start + done)
      if (read === 0) throw corrupt(`cannot read ${name} of the build context: its tar has been cut`)
      take(buffer.subarray(0, read))
      done += read
    }
    return this.known(folder, name)
  }

  head(folder: string, name: string, length: number): Buffer {
    const { start, size } = this.#bytesOf(folder, name)
    const buffer = Buffer.alloc(Math.min(length, size))
    return buffer.subarray(0, readSync(this.#fd, buffer, 0, buffer.length, start))
  }

  /** Where a file's bytes stand in the tar. */
  range(place: string): { readonly start: number; readonly size: number } {
    return this.#bytesOf(parentOf(place), posix.basename(place))
  }

  #nameIn(folder: string, name: string): void {
    const names = this.#names.get(folder)
    if (names === undefined) this.#names.set(folder, [name])
    else names.push(name)
  }

  #placeOf(folder: string, name: string): string {
    const place = this.resolve(folder) ?? folder
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
    return {
      mode: BigInt(node.mode),
      uid: 0n,
      gid: 0n,
      rdev: BigInt(node.device ?? 0),
      mtimeNs: node.mtime === '' ? this.#now : BigInt(node.mtime),
      ctimeNs: 0n,
      size: BigInt(node.bytes?.size ?? 0),
      nlink: 1n,
      dev: 0n,
      ino: 0n,
    }
  }
}

/** The place that a path means, as a process sees it whose root is the archive's. */
function resolveIn(index: TarIndex, path: string): string | undefined {
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
