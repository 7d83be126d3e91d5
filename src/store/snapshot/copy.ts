import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { copyRange, descriptorPath, isErrno, makeNode, openInRoot, openRoot } from '#kernel'
import { copyAttributes, copyFolderAttributes } from './attributes.ts'
import { type TreeEntry, type WalkOptions, ifThere, rawPath, readLink, walkTree } from './tree.ts'

/** Copies all that is in one folder to another, which exists; sockets, which mean nothing without their process, stay out. */
export function copyTree(from: string, to: string, options: WalkOptions): void {
  using copier = new TreeCopier(to)
  copyFolderAttributes(from, to)
  const enter = (entry: TreeEntry, folder: number): number | undefined => copier.enter(entry, folder)
  const leave = (entry: TreeEntry, folder: number): void => copier.leave(entry, folder)
  walkTree(from, copier.root, { enter, leave }, options)
}

const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY

class TreeCopier implements Disposable {
  readonly root: number
  /** Path of the first copy of each file that has several names. */
  readonly #links = new Map<bigint, string>()
  readonly #folders = new Set<number>()

  constructor(to: string) {
    this.root = openRoot(to)
    this.#folders.add(this.root)
  }

  enter(entry: TreeEntry, folder: number): number | undefined {
    const to = rawPath(`${descriptorPath(folder)}/${entry.name}`)
    if (entry.stat.isDirectory()) {
      mkdirSync(to, 0o700)
      const fd = openInRoot(folder, rawPath(entry.name), O_PATH_FOLDER)
      this.#folders.add(fd)
      return fd
    }
    if (entry.stat.isSocket()) return undefined
    const first = this.#links.get(entry.stat.ino)
    if (first !== undefined) linkSync(rawPath(`${descriptorPath(this.root)}/${first}`), to)
    else if (copyNode(entry, to)) {
      copyAttributes(entry, to)
      if (entry.stat.nlink > 1n) this.#links.set(entry.stat.ino, entry.path)
    }
    return undefined
  }

  leave(entry: TreeEntry, folder: number): void {
    copyAttributes(entry, `${descriptorPath(folder)}/.`)
    this.#folders.delete(folder)
    closeSync(folder)
  }

  [Symbol.dispose](): void {
    for (const fd of this.#folders) closeSync(fd)
    this.#folders.clear()
  }
}

/** False where the entry has vanished meanwhile. */
function copyNode(entry: TreeEntry, to: string | Buffer): boolean {
  const { at, stat } = entry
  if (stat.isFile()) return copyFile(entry, to)
  if (stat.isSymbolicLink()) {
    const target = readLink(at)
    if (target) symlinkSync(target, to)
    return target !== undefined
  }
  makeNode(to, Number(stat.mode), stat.rdev)
  return true
}

/** A fifo that took the file's place would block: hence O_NONBLOCK. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CHUNK = 1 << 20
const PAGE = 4096

function copyFile({ at }: TreeEntry, to: string | Buffer): boolean {
  const from = ifThere(() => openSync(at, READ_FLAGS))
  if (from === undefined) return false
  try {
    const stat = fstatSync(from)
    if (!stat.isFile()) return false
    const into = openSync(to, 'wx', 0o600)
    try {
      if (stat.blocks * 512 < stat.size) copyPages(from, into, stat.size)
      else copyWhole(from, into)
      return true
    } finally {
      closeSync(into)
    }
  } finally {
    closeSync(from)
  }
}

/** Inside the kernel where it can: not from an overlay to the file system below it, which are two to it. */
function copyWhole(from: number, into: number): void {
  try {
    while (copyRange(from, into, CHUNK * 64) > 0);
  } catch (error) {
    if (!isErrno(error, 'EXDEV', 'ENOTSUP', 'EINVAL')) throw error
    copyBytes(from, into)
  }
}

function copyBytes(from: number, into: number): void {
  const chunk = Buffer.allocUnsafe(CHUNK)
  for (let count = readSync(from, chunk); count > 0; count = readSync(from, chunk)) {
    for (let done = 0; done < count;) done += writeSync(into, chunk, done, count - done)
  }
}

/** Leaves out pages of zeros, so that holes stay holes. */
function copyPages(from: number, into: number, size: number): void {
  const chunk = Buffer.allocUnsafe(CHUNK)
  const zeros = Buffer.alloc(PAGE)
  ftruncateSync(into, size)
  for (let position = 0, count = readSync(from, chunk, 0, CHUNK, 0); count > 0;) {
    for (let at = 0; at < count; at += PAGE) {
      const page = chunk.subarray(at, Math.min(at + PAGE, count))
      if (!page.equals(zeros.subarray(0, page.length))) writeSync(into, page, 0, page.length, position + at)
    }
    position += count
    count = readSync(from, chunk, 0, CHUNK, position)
  }
}
