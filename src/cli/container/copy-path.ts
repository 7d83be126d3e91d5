import { posix } from 'node:path'
import { invalid } from '#base'

/** One end of a copy, as typed: a path, or one of a container. */
export interface CopyEnd {
  readonly container?: string
  readonly path: string
}

/** `CONTAINER:PATH`, where the word is no path for certain: «/a:b» and «./a:b» are. */
export function parseEnd(word: string): CopyEnd {
  const at = word.indexOf(':')
  if (at <= 0 || word.startsWith('/') || word.startsWith('.')) return { path: at === 0 ? word.slice(1) : word }
  return { container: word.slice(0, at), path: word.slice(at + 1) }
}

/** A path's folder and last name; «/a/.» is the name «.» in «/a». */
export function splitEntry(path: string): { readonly dir: string; readonly base: string } {
  const clean = cleanPath(path)
  if (meansContents(path)) return { dir: clean, base: '.' }
  return { dir: posix.dirname(clean), base: clean === '/' ? '/' : posix.basename(clean) }
}

/** The path made absolute, with what asserts a folder («/», «/.») kept at its end. */
export function absolute(cwd: string, path: string): string {
  return cleanPath(posix.resolve(cwd, path)) + assertionOf(path)
}

/** «/» or «/.» at a path's end. */
export function assertionOf(path: string): '' | '/' | '/.' {
  if (meansContents(path)) return '/.'
  return path.endsWith('/') && cleanPath(path) !== '/' ? '/' : ''
}

function cleanPath(path: string): string {
  return posix.normalize(path).replace(/(.)\/$/, '$1')
}

function meansContents(path: string): boolean {
  return path === '.' || path.endsWith('/.')
}

/** What is copied. */
export interface CopySource {
  readonly path: string
  readonly isFolder: boolean
  /** What it is to be called, where a link was followed to another name. */
  readonly calledAs?: string
}

/** Where it goes to, links followed. */
export interface CopyTarget {
  readonly path: string
  readonly kind: 'folder' | 'file' | 'nothing'
}

export interface CopyPlan {
  /** The folder into which the archive is unpacked. */
  readonly folder: string
  /** The first name of its entries; undefined where it stays as it is. */
  readonly name?: string
}

/** Docker's rules: into a folder that is there; to a name that is not there, beside it; never a folder over a file. */
export function planCopy(source: CopySource, target: CopyTarget): CopyPlan {
  if (target.kind === 'folder') return { folder: target.path }
  if (target.kind === 'file' && source.isFolder) throw invalid('cannot copy directory')
  if (target.kind === 'nothing' && !source.isFolder && assertionOf(target.path) !== '')
    throw invalid('no such directory')
  const { dir, base } = splitEntry(target.path)
  return { folder: dir, name: base }
}

/** The name of an entry with another first name; raw names and texts alike. */
export function renamed(name: string, from: string, to: string | undefined): string {
  if (to === undefined) return name
  return from === '/' ? `${to}${name === '/' ? '' : name}` : `${to}${name.slice(from.length)}`
}
