import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises'
import { closeSync, constants, fstatSync } from 'node:fs'
import { join, posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createHash } from 'node:crypto'
import { errnoOf, invalid, shortId } from '#base'
import type { Bytes } from '#base'
import { decompress } from '#archive'
import { parseDockerfile, parseIgnore } from '#dockerfile'
import type { Dockerfile } from '#dockerfile'
import { descriptorPath, isErrno, openInRoot, openRoot, readFileInRoot } from '#kernel'
import type { BuilderParts } from './session.ts'
import type { BuildRequest } from './types.ts'

/** A Dockerfile or .dockerignore longer than this is not one. */
const MAX_TEXT = 16 << 20
/** Contexts whose digests are remembered. */
const MAX_REMEMBERED = 64

/** The files that a build may read. */
export interface BuildContext extends AsyncDisposable {
  /** A path for the worker threads of this process. */
  readonly folder: string
  readonly ignore?: { readonly text: string; readonly file: string }
  /** Where digests of its files are remembered; absent for a context that goes away. */
  readonly digests?: string
  readonly dockerfile: Dockerfile
}

/** Reads Dockerfile and ignore rules of a context; a tar is unpacked first, into a folder that goes with the context. */
export async function openContext(
  parts: BuilderParts,
  folder: string,
  request: BuildRequest,
  signal: AbortSignal,
): Promise<BuildContext> {
  const place = await openPlace(parts, folder, request, signal)
  try {
    const { text, name } = dockerfileOf(place.folder, request)
    if (text === '') throw invalid(`the Dockerfile (${name}) cannot be empty`)
    const ignore = ignoreOf(place.folder, 'path' in request.dockerfile ? request.dockerfile.path : undefined)
    if (ignore !== undefined) parseIgnore(ignore.text, ignore.file)
    return { ...place, ...(ignore === undefined ? {} : { ignore }), dockerfile: parseDockerfile(text, name) }
  } catch (error) {
    await place[Symbol.asyncDispose]()
    throw error
  }
}

type Place = Pick<BuildContext, 'folder' | 'digests' | typeof Symbol.asyncDispose>

function openPlace(parts: BuilderParts, folder: string, request: BuildRequest, signal: AbortSignal): Promise<Place> {
  return request.context.kind === 'folder'
    ? openFolder(parts, folder, request.context.path)
    : unpackContext(parts, folder, request.context.bytes, signal)
}

async function openFolder(parts: BuilderParts, folder: string, path: string): Promise<Place> {
  if (!posix.isAbsolute(path)) throw invalid(`build context ${path} is not an absolute path`)
  const digests = await digestsFile(folder, path)
  const { hostMounts } = parts
  if (hostMounts === undefined) {
    const found = await stat(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (found?.isDirectory() !== true) throw invalid(`build context ${path} is not a folder`)
    return { folder: path, digests, async [Symbol.asyncDispose]() {} }
  }
  const fd = await hostMounts.clone(path, { recursive: true })
  return { folder: descriptorPath(fd), digests, [Symbol.asyncDispose]: async () => closeSync(fd) }
}

/** One file for each context folder; the oldest go. */
async function digestsFile(folder: string, path: string): Promise<string> {
  const all = join(folder, 'digests')
  await mkdir(all, { recursive: true, mode: 0o700 })
  const file = join(all, `${createHash('sha256').update(path).digest('hex').slice(0, 32)}.json`)
  const now = new Date()
  await utimes(file, now, now).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  const names = await readdir(all)
  if (names.length <= MAX_REMEMBERED) return file
  const dated = await Promise.all(names.map(async (name) => ({ name, time: (await stat(join(all, name))).mtimeMs })))
  const oldest = dated.toSorted((left, right) => left.time - right.time).slice(0, names.length - MAX_REMEMBERED)
  await Promise.all(oldest.map(({ name }) => rm(join(all, name), { force: true })))
  return file
}

async function unpackContext(parts: BuilderParts, folder: string, bytes: Bytes, signal: AbortSignal): Promise<Place> {
  const home = join(folder, 'contexts', shortId())
  const root = join(home, 'root')
  await mkdir(root, { recursive: true, mode: 0o700 })
  const remove = (): Promise<void> => rm(home, { recursive: true, force: true })
  try {
    const file = join(home, 'context.tar')
    await pipeline(decompress(bytes, parts.filters), createWriteStream(file, { mode: 0o600 }), { signal })
    await parts.pool.run('builder.unpack', { file, folder: root }, { signal })
    await rm(file)
    return { folder: root, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

function dockerfileOf(folder: string, request: BuildRequest): { readonly text: string; readonly name: string } {
  if ('text' in request.dockerfile) return { text: request.dockerfile.text, name: 'Dockerfile' }
  const path = posix.resolve('/', request.dockerfile.path).slice(1)
  const text = readText(folder, path)
  if (text === undefined) throw invalid(`Cannot locate specified Dockerfile: ${request.dockerfile.path}`)
  return { text, name: path }
}

/** `NAME.dockerignore` beside a Dockerfile goes before .dockerignore. */
function ignoreOf(folder: string, dockerfile: string | undefined): BuildContext['ignore'] {
  const own = dockerfile === undefined ? undefined : `${posix.resolve('/', dockerfile).slice(1)}.dockerignore`
  for (const file of own === undefined ? ['.dockerignore'] : [own, '.dockerignore']) {
    const text = readText(folder, file)
    if (text !== undefined) return { text, file }
  }
  return undefined
}

function readText(folder: string, path: string): string | undefined {
  const root = openRoot(folder)
  try {
    return readFileInRoot(root, path, MAX_TEXT)?.toString('utf8')
  } finally {
    closeSync(root)
  }
}

/** The bytes of a file of a folder that is not trusted; `invalid` where it is gone, or is no file any more. */
export function readContextFile(folder: string, path: string | Buffer): Bytes {
  const root = openRoot(folder)
  try {
    const fd = openInRoot(root, path, constants.O_RDONLY | constants.O_NONBLOCK, { follow: true })
    if (fstatSync(fd).isFile()) return createReadStream('', { fd })
    closeSync(fd)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  } finally {
    closeSync(root)
  }
  throw invalid(`${String(path)} is not there any more`)
}
