import { closeSync, constants, fstatSync, lstatSync, readlinkSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { posix } from 'node:path'
import { pathOfName, type RawName, textOfName } from '#archive'
import { EngineError, errnoOf } from '#base'
import { descriptorPath, openInRoot, openRoot } from '#kernel'

/** A path as `docker cp` names one, by Docker's rules. */
export interface WantedPath {
  /** Absolute and clean, without what asserts a folder. */
  readonly path: RawName
  /** «/» or «/.» at its end: links are followed, and it must be a folder. */
  readonly asserted: '' | '/' | '/.'
  /** What entries of an archive of it begin with; «/» for the root. */
  readonly base: RawName
}

/** Relative to the root; `..` is lexical. */
export function parseWanted(text: RawName): WantedPath {
  const path = posix.normalize(`/${text}`).replace(/(.)\/$/, '$1')
  const asserted = /(^|\/)\.$/.test(text) ? '/.' : text.endsWith('/') && path !== '/' ? '/' : ''
  return { path, asserted, base: asserted === '/.' ? '.' : path === '/' ? '/' : posix.basename(path) }
}

/** What was found there, while its folder is held open. */
export class FoundPath implements Disposable {
  /** The folder that it stands in, or itself. */
  readonly #parent: number
  /** For node:fs, never followed. */
  readonly at: string | Buffer
  readonly stat: BigIntStats
  readonly #name: string

  /** Links on the way are followed inside `root`, one as the last name only where a folder is asserted. */
  constructor(root: number, wanted: WantedPath) {
    const { path, asserted } = wanted
    const [folder, name] = asserted === '' && path !== '/' ? [posix.dirname(path), posix.basename(path)] : [path, '.']
    this.#parent = openInRoot(root, pathOfName(folder), FOLDER, { follow: true })
    this.#name = name
    this.at = pathOfName(`${descriptorPath(this.#parent)}/${name}`)
    try {
      this.stat = lstatSync(this.at, { bigint: true })
    } catch (error) {
      closeSync(this.#parent)
      throw error
    }
  }

  /** With a path to the folder itself, which a link in its place would not be. */
  inFolder<T>(use: (path: string) => T): T {
    const fd = openInRoot(this.#parent, pathOfName(this.#name), FOLDER)
    try {
      return use(descriptorPath(fd))
    } finally {
      closeSync(fd)
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#parent)
  }
}

const O_PATH = 0o10000000
const FOLDER = O_PATH | constants.O_DIRECTORY

/** Runs `use` with the root open; its errors of lookup come out in Docker's words. */
export function inRoot<T>(
  folder: string,
  names: { readonly container: string; readonly path: RawName },
  use: (root: number) => T,
): T {
  const root = openRoot(folder)
  try {
    return use(root)
  } catch (error) {
    throw lookupError(error, names)
  } finally {
    closeSync(root)
  }
}

function lookupError(
  error: unknown,
  { container, path }: { readonly container: string; readonly path: RawName },
): unknown {
  const errno = errnoOf(error) ?? ''
  if (errno === 'ENOENT')
    return new EngineError('not-found', `Could not find the file ${textOfName(path)} in container ${container}`, {
      cause: error,
    })
  const reason = REASONS.get(errno)
  if (reason === undefined) return error
  const wanted = parseWanted(path)
  const message = `lstat ${textOfName(wanted.path)}${wanted.asserted}: ${reason}`
  return new EngineError('internal', message, { cause: error })
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOTDIR', 'not a directory'],
  ['ELOOP', 'too many levels of symbolic links'],
  ['ENAMETOOLONG', 'file name too long'],
])

/** As the kernel's own limit is forty; Docker's is 255. */
const MAX_LINKS = 255

/** Where a link leads, all links on the way followed inside the root; names that are not there stay as they are. */
export function followLinks(root: number, path: RawName): RawName {
  const ahead = path.split('/').toReversed()
  let found: string[] = []
  for (let links = 0; ;) {
    const name = ahead.pop()
    if (name === undefined) return `/${found.join('/')}`
    if (name === '' || name === '.') continue
    if (name === '..') {
      found.pop()
      continue
    }
    const target = linkTarget(root, found, name)
    if (target === undefined) {
      found.push(name)
      continue
    }
    links += 1
    if (links > MAX_LINKS)
      throw new EngineError('internal', `evalSymlinksInScope: too many links in ${textOfName(path)}`)
    if (target.startsWith('/')) found = []
    ahead.push(...target.split('/').toReversed())
  }
}

function linkTarget(root: number, folder: readonly string[], name: string): RawName | undefined {
  let parent: number
  try {
    parent = openInRoot(root, pathOfName(folder.join('/')), FOLDER)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
  try {
    return readlinkSync(pathOfName(`${descriptorPath(parent)}/${name}`), { encoding: 'latin1' })
  } catch (error) {
    if (['ENOENT', 'EINVAL'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  } finally {
    closeSync(parent)
  }
}

/** The folder that a path means, all links followed, from the root: without a slash in front, empty for the root itself. */
export function locateFolder(root: number, { path }: WantedPath): RawName | undefined {
  const fd = openInRoot(root, pathOfName(path), O_PATH, { follow: true })
  try {
    const [whole, top] = [pathOf(fd), pathOf(root)]
    const stat = fstatSync(fd)
    if (!stat.isDirectory()) return undefined
    // The path of what was removed meanwhile is none.
    if (stat.nlink === 0) throw Object.assign(new Error(`${path}: removed`), { code: 'ENOENT' })
    return whole === top ? '' : whole.slice(top.length + 1)
  } finally {
    closeSync(fd)
  }
}

function pathOf(fd: number): RawName {
  return readlinkSync(descriptorPath(fd), { encoding: 'latin1' })
}
