import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { posix } from 'node:path'
import { errnoOf, invalid } from '#base'
import { pathOfName, quoteName } from '#archive'
import {
  createEntry,
  descriptorPath,
  type EntryStat,
  isErrno,
  linkEntry,
  openEntry,
  openInRoot,
  openRoot,
  readFileInRoot,
  statDescriptor,
  statEntry,
} from '#kernel'
import { removeTree } from './remove-tree.ts'

const O_PATH = 0o10000000
const FOLDER = O_PATH | constants.O_DIRECTORY
/** Folders of one tree are visited together: a few open ones are enough. */
const MAX_OPEN = 200
/** As the kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * A root that is not trusted: every path is looked up as a process sees it whose root this is. Paths are raw names
 * (one character a byte), relative or absolute alike.
 */
export class ConfinedRoot implements Disposable {
  readonly #root: number
  readonly #open = new Map<string, number>()
  /** Of the last folder: mostly the next one too. */
  #last: { readonly path: string; readonly fd: number } | undefined
  #isClosed = false

  constructor(folder: string) {
    this.#root = openRoot(folder)
  }

  /** Fine once more: a mount is left before the work on its root ends. */
  [Symbol.dispose](): void {
    this.forget()
    if (!this.#isClosed) closeSync(this.#root)
    this.#isClosed = true
  }

  /** A new descriptor (O_PATH) of what is there, links followed inside the root; undefined where nothing is. The caller closes it. */
  open(path: string): number | undefined {
    try {
      return openInRoot(this.#root, pathOfName(inside(path)), O_PATH, { follow: true })
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }

  /** The text of a file, links followed inside the root; undefined where there is none. `invalid` beyond `limit` bytes. */
  readText(path: string, limit: number): string | undefined {
    return readFileInRoot(this.#root, pathOfName(inside(path)), limit)?.toString('utf8')
  }

  stat(path: string): EntryStat | undefined {
    const fd = this.open(path)
    if (fd === undefined) return undefined
    try {
      return statDescriptor(fd)
    } finally {
      closeSync(fd)
    }
  }

  /** Where a descriptor's file stands below this root, as a raw name without slashes at its ends. */
  locate(fd: number): string {
    const root = pathOf(this.#root)
    const path = pathOf(fd)
    return path === root ? '' : path.slice(root === '/' ? 1 : root.length + 1)
  }

  /** A path for node:fs that leads to `name` in `folder`; the folder stays open until many others were asked for. */
  entry(folder: string, name: string): string | Buffer {
    return pathOfName(`${descriptorPath(this.#folder(folder))}/${name}`)
  }

  /** An entry itself, links not followed; undefined where nothing is. */
  lstat(folder: string, name: string): EntryStat | undefined {
    return statEntry(this.#folder(folder), name)
  }

  /** Opens an entry, never through a link. The caller closes the descriptor. */
  openEntry(folder: string, name: string, flags: number): number {
    return openEntry(this.#folder(folder), name, flags)
  }

  /** Makes an empty file for writing; EEXIST where something is there. The caller closes the descriptor. */
  createEntry(folder: string, name: string, mode: number): number {
    return createEntry(this.#folder(folder), name, mode)
  }

  /** Makes `name` a second name of an entry of another root. */
  link(folder: string, name: string, from: { root: ConfinedRoot; folder: string; name: string }): void {
    linkEntry(from.root.#folder(from.folder), from.name, this.#folder(folder), name)
  }

  /** Raw names in a folder, sorted. */
  list(folder: string): readonly string[] {
    const fd = openSync(descriptorPath(this.#folder(folder)), constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      return readdirSync(descriptorPath(fd), { encoding: 'latin1' }).toSorted()
    } finally {
      closeSync(fd)
    }
  }

  /**
   * Makes what is missing of a folder and the folders above it (0755, of this owner), also where links lead to it.
   * True where something was made; `invalid` where a file stands in the way.
   */
  makeFolders(path: string, owner: Owner, links = 0): boolean {
    const wanted = inside(path)
    const found = this.stat(wanted)
    if (found?.isDirectory()) return false
    if (found !== undefined || wanted === '') throw notAFolder(path)
    const parent = parentOf(wanted)
    this.makeFolders(parent, owner, links)
    const target = this.linkTarget(parent, posix.basename(wanted))
    if (target === undefined) this.#makeOne(parent, posix.basename(wanted), owner)
    else if (links >= MAX_LINKS) throw notAFolder(path)
    else this.makeFolders(target, owner, links + 1)
    return true
  }

  /** The place that a path means, also where links lead to a name that is not there yet; folders above it are made. */
  freePlace(path: string, owner: Owner, links = 0): string {
    const place = this.#located(path)
    if (place !== undefined) return place
    const parent = parentOf(inside(path))
    this.makeFolders(parent, owner)
    const name = posix.basename(path)
    const target = this.linkTarget(parent, name)
    if (target === undefined) return posix.join(this.#located(parent) ?? parent, name)
    if (links >= MAX_LINKS) throw invalid(`cannot copy to ${quoteName(path)}: too many links`)
    return this.freePlace(target, owner, links + 1)
  }

  /** Where a symbolic link leads, as a path of this root; undefined for anything else. */
  linkTarget(folder: string, name: string): string | undefined {
    const at = this.entry(folder, name)
    if (lstatIfThere(at)?.isSymbolicLink() !== true) return undefined
    const target = readlinkSync(at, { encoding: 'latin1' })
    return target.startsWith('/') ? target : `${this.#located(folder) ?? folder}/${target}`
  }

  /** Removes a folder and all below it. */
  removeFolder(folder: string, name: string): void {
    removeTree(this.#folder(folder), name)
    this.forget()
  }

  /** To be called when something was removed: what was looked up through it may lead elsewhere now. */
  forget(): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
    this.#last = undefined
  }

  /** The path of what is there, its links resolved; that of what was removed meanwhile is none. */
  #located(path: string): string | undefined {
    const fd = this.open(path)
    if (fd === undefined) return undefined
    try {
      const located = this.locate(fd)
      return fstatSync(fd).nlink === 0 ? undefined : located
    } finally {
      closeSync(fd)
    }
  }

  #makeOne(parent: string, name: string, owner: Owner): void {
    const at = this.entry(parent, name)
    try {
      mkdirSync(at, 0o755)
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw notAFolder(`${parent}/${name}`)
      throw error
    }
    const fd = openSync(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      fchownSync(fd, owner.uid, owner.gid)
    } finally {
      closeSync(fd)
    }
  }

  #folder(path: string): number {
    if (this.#last?.path === path) return this.#last.fd
    const key = inside(path)
    const fd = this.#open.get(key) ?? this.#openFolder(key)
    this.#last = { path, fd }
    return fd
  }

  #openFolder(key: string): number {
    const fd = openInRoot(this.#root, pathOfName(key), FOLDER, { follow: true })
    this.#open.set(key, fd)
    const [oldest] = this.#open
    if (this.#open.size > MAX_OPEN && oldest !== undefined) {
      this.#open.delete(oldest[0])
      closeSync(oldest[1])
    }
    return fd
  }
}

/** The attributes of an entry itself, links not followed; undefined where nothing is. */
export function lstatIfThere(path: string | Buffer): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })
}

/** Without slashes at its ends; empty for the root. */
function inside(path: string): string {
  return path.replace(/^\/+/, '').replace(/(?<!\/)\/+$/, '')
}

function parentOf(path: string): string {
  const parent = posix.dirname(path)
  return parent === '.' ? '' : parent
}

function notAFolder(path: string) {
  return invalid(`failed to create new directory: mkdir ${quoteName(path)}: not a directory`)
}

function pathOf(fd: number): string {
  return readlinkSync(descriptorPath(fd), { encoding: 'latin1' })
}
