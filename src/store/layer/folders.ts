import { chmodSync, chownSync, closeSync, constants, lstatSync, mkdirSync, readlinkSync, unlinkSync } from 'node:fs'
import { invalid } from '#base'
import { pathOfName, quoteName } from '#archive'
import { descriptorPath, isErrno, openInRoot, openRoot, setXattr } from '#kernel'
import { OPAQUE_XATTR, copyFolderAttributes, ifThere, isOpaque } from '#store/snapshot'
import { MergedFolder, isWhiteout } from './merged.ts'

const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY
/** Archives list the entries of a folder together: some hundred open folders are enough. */
const MAX_OPEN = 400
/** As the kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40

/**
 * The folders of a tree that is being unpacked, held by descriptors. A path is looked up as a process sees it whose root is
 * this tree on its lowers: links stay inside. Where the upper folder has no such folder yet it is made, as overlayfs
 * copies one up.
 */
export class UnpackFolders implements Disposable {
  readonly root: number
  readonly #open = new Map<string, number>()
  readonly #stale: number[] = []
  readonly #lowers: readonly string[] | undefined
  readonly #assumed = new Set<string>()

  /** Without lowers, folders that no entry described are made as if nothing were below them, and told by `assumed`. */
  constructor(upper: string, lowers: readonly string[] | undefined) {
    this.root = openRoot(upper)
    this.#lowers = lowers
  }

  /** Real paths of the folders that were made without knowing the lowers, parents first. */
  get assumed(): ReadonlySet<string> {
    return this.#assumed
  }

  /** The folder of these components, as a descriptor that stays open until many others were asked for. */
  get(components: readonly string[]): number {
    if (components.length === 0) return this.root
    const key = components.join('/')
    return this.#known(key) ?? this.#keep(key, this.#lookUp(key) ?? this.#make(components))
  }

  /** As `get`, but makes nothing: undefined where the upper tree has no such folder. */
  find(components: readonly string[]): number | undefined {
    if (components.length === 0) return this.root
    const key = components.join('/')
    const known = this.#known(key)
    if (known !== undefined) return known
    const fd = this.#lookUp(key)
    return fd === undefined ? undefined : this.#keep(key, fd)
  }

  /** An entry was removed: what was looked up through it may lead elsewhere now. Descriptors stay open until `settle`. */
  forget(): void {
    this.#stale.push(...this.#open.values())
    this.#open.clear()
  }

  /** Nobody uses descriptors that were given out before. */
  settle(): void {
    for (const fd of this.#stale.splice(0)) closeSync(fd)
  }

  [Symbol.dispose](): void {
    this.forget()
    this.settle()
    closeSync(this.root)
  }

  /** A descriptor that is used moves to the end of those to be closed. */
  #known(key: string): number | undefined {
    const fd = this.#open.get(key)
    if (fd === undefined) return undefined
    this.#open.delete(key)
    this.#open.set(key, fd)
    return fd
  }

  #keep(key: string, fd: number): number {
    const [oldest] = this.#open
    if (oldest && this.#open.size >= MAX_OPEN) {
      this.#stale.push(oldest[1])
      this.#open.delete(oldest[0])
    }
    this.#open.set(key, fd)
    return fd
  }

  #lookUp(path: string): number | undefined {
    try {
      return openInRoot(this.root, pathOfName(path), O_PATH_FOLDER, { follow: true })
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }

  /** Walks name by name through the merged tree, following its links, and makes what the upper folder lacks. */
  #make(components: readonly string[]): number {
    const ahead = components.toReversed()
    let path: string[] = []
    for (let links = 0; ;) {
      const name = ahead.pop()
      if (name === undefined) break
      if (name === '' || name === '.') continue
      if (name === '..') {
        path.pop()
        continue
      }
      const target = this.#step(path, name)
      if (target === undefined) {
        path.push(name)
        continue
      }
      links += 1
      if (links > MAX_LINKS) throw invalid(`too many links on the way to ${quoteName(components.join('/'))}`)
      if (target.startsWith('/')) path = []
      ahead.push(...target.split('/').toReversed())
    }
    return openInRoot(this.root, pathOfName(path.join('/')), O_PATH_FOLDER)
  }

  /** After it the upper has the folder `name` in `path`; or gives the target of the link that stands there. */
  #step(path: readonly string[], name: string): string | undefined {
    const parent = openInRoot(this.root, pathOfName(path.join('/')), O_PATH_FOLDER)
    try {
      const at = pathOfName(`${descriptorPath(parent)}/${name}`)
      const stat = ifThere(() => lstatSync(at, { bigint: true }))
      if (stat?.isDirectory()) return undefined
      if (stat?.isSymbolicLink()) return readlinkSync(at, { encoding: 'latin1' })
      if (!stat) return this.#copyUp(path, name, at)
      if (!isWhiteout(stat)) throw invalid(`${quoteName([...path, name].join('/'))} is no folder`)
      // removed and then made anew by one layer: nothing of the old folder may show through
      unlinkSync(at)
      makeBareFolder(at)
      markOpaque(at)
      return undefined
    } finally {
      closeSync(parent)
    }
  }

  #copyUp(path: readonly string[], name: string, at: string | Buffer): string | undefined {
    if (!this.#lowers) {
      makeBareFolder(at)
      this.#assumed.add([...path, name].join('/'))
      return undefined
    }
    using below = mergedAt(this.root, this.#lowers, path)
    const lower = below?.find(name)
    if (lower?.stat.isSymbolicLink()) return readlinkSync(lower.at, { encoding: 'latin1' })
    if (lower && !lower.stat.isDirectory()) {
      throw invalid(`${quoteName([...path, name].join('/'))} is no folder`)
    }
    makeBareFolder(at)
    if (lower) copyFolderAttributes(lower.at, at)
    return undefined
  }
}

/** The merged lowers at a real path of the upper tree; undefined where nothing of them shows through. */
export function mergedAt(root: number, lowers: readonly string[], path: readonly string[]): MergedFolder | undefined {
  if (lowers.length === 0) return undefined
  let folder: MergedFolder | undefined = MergedFolder.open(lowers)
  for (const [index, name] of path.entries()) {
    using current: MergedFolder = folder
    const at = `${descriptorPath(root)}/${path.slice(0, index + 1).join('/')}`
    folder = isOpaque(pathOfName(at)) ? undefined : current.enter(name)
    if (!folder) return undefined
  }
  return folder
}

/** Root's own, whatever the folder is in which it is made (one with the set-group bit would pass its group on). */
function makeBareFolder(at: string | Buffer): void {
  mkdirSync(at, 0o755)
  chownSync(at, 0, 0)
  chmodSync(at, 0o755)
}

/** Makes a folder hide all that is below it. */
export function markOpaque(at: string | Buffer): void {
  setXattr(at, OPAQUE_XATTR, Buffer.from('y'))
}
