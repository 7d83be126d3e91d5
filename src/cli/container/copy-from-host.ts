import { createReadStream } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { lstat, readdir, readlink, realpath } from 'node:fs/promises'
import { posix } from 'node:path'
import { nameOfText, type TarSource, writeTar } from '#archive'
import { type Bytes, errnoOf, invalid } from '#base'
import { assertionOf, type CopySource, splitEntry } from './copy-path.ts'

/** A source on this machine: where it lies, what it is called. Errors are docker's. */
export async function hostSource(path: string, followLink: boolean): Promise<CopySource> {
  const real = await saying(path, () => resolve(path, followLink))
  const stat = await saying(real, () => lstat(real))
  const isFolder = stat.isDirectory()
  if (assertionOf(path) !== '' && !isFolder) throw invalid('not a directory')
  const [asked, found] = [splitEntry(path).base, splitEntry(real).base]
  return { path: real, isFolder, ...(asked !== found && { calledAs: asked }) }
}

/** Links on the way are always followed, one as the last name where that is wanted or «/» is at the end. */
async function resolve(path: string, followLink: boolean): Promise<string> {
  const assertion = assertionOf(path)
  if (followLink || assertion !== '') return `${await realpath(path)}${assertion === '/.' ? '/.' : ''}`
  const { dir, base } = splitEntry(path)
  return posix.join(await realpath(dir), base)
}

async function saying<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const text = TEXTS.get(errnoOf(error) ?? '')
    if (text === undefined) throw error
    throw invalid(text === NO_FOLDER ? text : `lstat ${path}: ${text}`, { cause: error })
  }
}

const NO_FOLDER = 'not a directory'
const TEXTS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file or directory'],
  ['EACCES', 'permission denied'],
  ['ELOOP', 'too many levels of symbolic links'],
  ['ENOTDIR', NO_FOLDER],
])

/** The source as a tar whose names begin with `name`, with owners and second names of files; sockets are left out. */
export async function* packSource(source: CopySource, name: string): Bytes {
  const { dir, base } = splitEntry(source.path)
  const place = Buffer.from(base === '.' ? dir : posix.join(dir, base))
  yield* writeTar(walk({ place, name: nameOfText(name) }, new Map()))
}

interface Place {
  /** Bytes of the path. */
  readonly place: Buffer
  /** As a raw name. */
  readonly name: string
}

async function* walk({ place, name }: Place, names: Map<string, string>): AsyncIterable<TarSource> {
  const stat = await lstat(place, { bigint: true })
  const member = await memberOf({ place, name }, stat, names)
  if (member) yield member
  if (!stat.isDirectory()) return
  const entries = await readdir(place, { encoding: 'latin1' })
  for (const entry of entries.sort()) {
    const below = Buffer.concat([place, Buffer.from('/'), Buffer.from(entry, 'latin1')])
    yield* walk({ place: below, name: name === '/' ? `/${entry}` : `${name}/${entry}` }, names)
  }
}

const CHUNK = 1 << 18

async function memberOf(
  { place, name }: Place,
  stat: BigIntStats,
  names: Map<string, string>,
): Promise<TarSource | undefined> {
  const { mode, uid, gid, mtimeNs: mtime } = stat
  const shared = { path: name, mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtime }
  if (stat.isDirectory()) return { ...shared, kind: 'directory' }
  const inode = `${stat.dev} ${stat.ino}`
  const first = stat.nlink > 1n ? names.get(inode) : undefined
  if (first !== undefined) return { ...shared, kind: 'hardlink', link: first }
  names.set(inode, name)
  if (stat.isSymbolicLink())
    return { ...shared, kind: 'symlink', link: (await readlink(place, { encoding: 'buffer' })).toString('latin1') }
  if (stat.isFile()) {
    const size = Number(stat.size)
    const body = size === 0 ? new Uint8Array() : createReadStream(place, { end: size - 1, highWaterMark: CHUNK })
    return { ...shared, kind: 'file', size, body }
  }
  if (stat.isFIFO()) return { ...shared, kind: 'fifo' }
  if (stat.isSocket()) return undefined
  return { ...shared, kind: stat.isBlockDevice() ? 'block' : 'character', ...splitDevice(stat.rdev) }
}

/** As Linux encodes it: 12 bits of major, 20 of minor. */
function splitDevice(device: bigint): { readonly major: number; readonly minor: number } {
  const bits = Number(device)
  return { major: (bits >>> 8) & 0xfff, minor: (bits & 0xff) | ((bits >>> 12) & 0xfff00) }
}
