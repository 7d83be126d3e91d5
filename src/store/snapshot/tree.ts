import { closeSync, constants, readdirSync, readlinkSync } from 'node:fs'
import { cancelled, errnoOf, invalid } from '#base'
import { type Path, type PlainStat, descriptorPath, openInRoot, openRoot, statEntry as stat } from '#kernel'

/** One entry of a tree that is walked. Names are bytes, one character each (latin1). */
export interface TreeEntry {
  readonly name: string
  /** From the tree's root, without a slash in front. */
  readonly path: string
  /** For node:fs and the kernel, while the entry is visited: its folder is held open, so a swapped parent leads nowhere else. */
  readonly at: string | Buffer
  /** That folder where it was walked through, for the kernel's calls with the name. */
  readonly folder?: number
  readonly stat: PlainStat
}

/** What is done with a tree. `Context` is what a folder's visitor hands to the visits of what is in it. */
export interface TreeVisitor<Context> {
  /** Entries of a folder come sorted by their bytes. For a folder: undefined leaves out what is in it. */
  enter(entry: TreeEntry, context: Context): Context | undefined
  /** After all that is in a folder. */
  leave?(entry: TreeEntry, context: Context): void
}

export interface WalkOptions {
  cancelled(): boolean
}

/** Deeper than a path can name; what is deeper was made to hurt. */
const MAX_DEPTH = 2100

/**
 * Visits all entries below `root`, folders before what is in them, siblings sorted by bytes. Never follows a link, never
 * opens anything but folders; entries that vanish meanwhile are left out. Throws `cancelled`, `invalid` when too deep.
 */
export function walkTree<Context>(
  root: Path,
  context: Context,
  visitor: TreeVisitor<Context>,
  options: WalkOptions,
): void {
  const fd = openRoot(root)
  try {
    walkFolder({ fd, path: '', depth: 0 }, context, visitor, options)
  } finally {
    closeSync(fd)
  }
}

interface Folder {
  readonly fd: number
  readonly path: string
  readonly depth: number
}

function walkFolder<Context>(
  folder: Folder,
  context: Context,
  visitor: TreeVisitor<Context>,
  options: WalkOptions,
): void {
  if (folder.depth > MAX_DEPTH) throw invalid('cannot walk through a tree: its folders are nested too deeply')
  for (const name of readSorted(folder.fd)) {
    if (options.cancelled()) throw cancelled('walk through a tree')
    const entry = statEntry(folder, name)
    const inner = entry && visitor.enter(entry, context)
    if (!entry || inner === undefined || !entry.stat.isDirectory()) continue
    const fd = ifThere(() => openInRoot(folder.fd, rawPath(name), O_PATH | constants.O_DIRECTORY))
    if (fd !== undefined) {
      walkInner({ fd, path: `${entry.path}/`, depth: folder.depth + 1 }, inner, visitor, options)
    }
    visitor.leave?.(entry, inner)
  }
}

function walkInner<Context>(
  folder: Folder,
  context: Context,
  visitor: TreeVisitor<Context>,
  options: WalkOptions,
): void {
  try {
    walkFolder(folder, context, visitor, options)
  } finally {
    closeSync(folder.fd)
  }
}

/** Not among node's constants. */
const O_PATH = 0o10000000

/** Nothing is in a folder that was removed meanwhile. */
function readSorted(fd: number): string[] {
  const names = ifThere(() => readdirSync(descriptorPath(fd), { encoding: 'latin1' })) ?? []
  return names.toSorted(compareNames)
}

function statEntry(folder: Folder, name: string): TreeEntry | undefined {
  const found = stat(folder.fd, name)
  if (found === undefined) return undefined
  const at = rawPath(`${descriptorPath(folder.fd)}/${name}`)
  return { name, path: `${folder.path}${name}`, at, folder: folder.fd, stat: found }
}

/** The outcome, or undefined where the entry has vanished or become another kind of thing meanwhile. */
export function ifThere<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined
    throw error
  }
}

/** Where a link leads, as bytes; undefined where it has vanished or become another kind of thing meanwhile. */
export function readLink(at: string | Buffer): Buffer | undefined {
  try {
    return ifThere(() => readlinkSync(at, { encoding: 'buffer' }))
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return undefined
    throw error
  }
}

/** A name of bytes (one character each) for node:fs and the kernel. */
export function rawPath(name: string): string | Buffer {
  return /[\u0080-\uffff]/.test(name) ? Buffer.from(name, 'latin1') : name
}

/** Order of bytes, for names with one character a byte. */
function compareNames(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
