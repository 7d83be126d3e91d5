import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { posix } from 'node:path'
import { componentsOfName, nameOfText, pathOfName, quoteName, readTar, type TarEntry, type TarMember } from '#archive'
import { type Bytes, invalid } from '#base'
import { type CopyTarget, renamed, splitEntry } from './copy-path.ts'

/** Refuses, in docker's words, what no copy can go to. */
export function checkOutputPath(path: string): void {
  const folder = posix.dirname(posix.normalize(path).replace(/(.)\/$/, '$1'))
  if (!isThere(folder)) throw invalid(`invalid output path: directory "${folder}" does not exist`)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isCharacterDevice() || stat?.isBlockDevice())
    throw invalid(`invalid output path: "${path}" must be a directory or a regular file: got a device`)
}

const MAX_LINKS = 10

/** What stands at a path of this machine, links followed, also those that lead to a name that is not there yet. */
export function hostTarget(path: string, links = 0): CopyTarget {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat?.isSymbolicLink()) {
    if (links >= MAX_LINKS) throw invalid(`too many symlinks in "${path}"`)
    return hostTarget(posix.resolve(posix.dirname(path), readlinkSync(path)), links + 1)
  }
  if (stat) return { path, kind: stat.isDirectory() ? 'folder' : 'file' }
  const { dir } = splitEntry(path)
  if (!statSync(dir).isDirectory()) throw invalid('not a directory')
  return { path, kind: 'nothing' }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

export interface Unpacking {
  readonly folder: string
  /** First name of the entries. */
  readonly from: string
  /** Another one for it. */
  readonly to: string | undefined
}

/**
 * Unpacks what came from a container. Owners are left out; a folder and another thing never replace each other. Nothing is
 * written through a link below the folder: a container could have made it.
 */
export async function unpackToHost(bytes: Bytes, unpacking: Unpacking): Promise<void> {
  const times: (readonly [at: string | Buffer, mtime: bigint])[] = []
  const [from, to] = [nameOfText(unpacking.from), unpacking.to === undefined ? undefined : nameOfText(unpacking.to)]
  for await (const member of readTar(bytes)) {
    const components = componentsOfName(renamed(member.path, from, to))
    if (components.length === 0) continue
    const at = placeFor(unpacking.folder, components)
    const link = member.kind === 'hardlink' ? componentsOfName(renamed(member.link, from, to)) : []
    await write(member, at, () => placeFor(unpacking.folder, link))
    if (member.kind === 'directory') times.push([at, member.mtime])
  }
  for (const [at, mtime] of times.reverse()) utimesSync(at, seconds(mtime), seconds(mtime))
}

/** The path of an entry; the folders above it are made where they are missing. */
function placeFor(folder: string, components: readonly string[]): string | Buffer {
  let path = nameOfText(folder)
  for (const [index, name] of components.entries()) {
    path = `${path}/${name}`
    if (index === components.length - 1) break
    const stat = lstatSync(pathOfName(path), { throwIfNoEntry: false })
    if (stat === undefined) mkdirSync(pathOfName(path), 0o755)
    else if (!stat.isDirectory()) throw invalid(`cannot copy to ${quoteName(path)}: it is no directory`)
  }
  return pathOfName(path)
}

async function write(member: TarMember, at: string | Buffer, linked: () => string | Buffer): Promise<void> {
  clear(member, at)
  switch (member.kind) {
    case 'directory':
      mkdirSync(at, { recursive: true, mode: 0o700 })
      chmodSync(at, member.mode)
      return
    case 'file':
      return await writeFile(member, at)
    case 'symlink':
      symlinkSync(pathOfName(member.link), at)
      lutimesSync(at, seconds(member.mtime), seconds(member.mtime))
      return
    case 'hardlink':
      linkSync(linked(), at)
      return
    case 'character':
    case 'block':
    case 'fifo':
      throw invalid(`cannot copy ${quoteName(member.path)}: devices and fifos can only be copied as a tar, to -`)
  }
}

/** Takes away what stands there, unless a folder is wanted and one is there. */
function clear({ kind, path }: TarEntry, at: string | Buffer): void {
  const stat = lstatSync(at, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (stat.isDirectory() !== (kind === 'directory')) {
    const [old, now] = stat.isDirectory() ? ['directory', 'non-directory'] : ['non-directory', 'directory']
    throw invalid(`cannot overwrite ${old} ${JSON.stringify(at.toString())} with ${now} ${quoteName(path)}`)
  }
  if (!stat.isDirectory()) rmSync(at)
}

async function writeFile({ body, mode, mtime }: TarMember, at: string | Buffer): Promise<void> {
  const fd = openSync(at, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    for await (const chunk of body) for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done)
    fchmodSync(fd, mode)
    futimesSync(fd, seconds(mtime), seconds(mtime))
  } finally {
    closeSync(fd)
  }
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1000n) / 1_000_000
}
