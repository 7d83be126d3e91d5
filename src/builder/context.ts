import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises'
import { closeSync, constants, fstatSync } from 'node:fs'
import { join, posix } from 'node:path'
import { Readable } from 'node:stream'
import { createHash } from 'node:crypto'
import { errnoOf, invalid, shortId, throwIfCancelled } from '#base'
import type { Bytes } from '#base'
import { decompress, pathOfName } from '#archive'
import { DIGESTS_FORM } from '#builder/files'
import type { Head, IndexedTar, ReceiveInput, ReceiveOutput, SourceInput } from '#builder/files'
import { parseDockerfile, parseIgnore } from '#dockerfile'
import type { Dockerfile } from '#dockerfile'
import { createPipe, descriptorPath, isErrno, openInRoot, openRoot, readFileInRoot, writeDescriptor } from '#kernel'
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
  /** Where its files stand, if it came as a tar that needs no unpacking; then the folder is empty. */
  readonly tar?: IndexedTar
  readonly ignore?: { readonly text: string; readonly file: string }
  /** Where digests of its files are remembered; absent for a context that goes away. */
  readonly digests?: string
  readonly dockerfile: Dockerfile
}

/** Reads Dockerfile and ignore rules of a context; a tar is received first, into files that go with the context. */
export async function openContext(
  parts: BuilderParts,
  folder: string,
  request: BuildRequest,
  signal: AbortSignal,
): Promise<BuildContext> {
  const place = await openPlace(parts, folder, request, signal)
  try {
    const { text, name } = dockerfileOf(place, request)
    if (text === '') throw invalid(`the Dockerfile (${name}) cannot be empty`)
    const ignore = ignoreOf(place, request)
    if (ignore !== undefined) parseIgnore(ignore.text, ignore.file)
    return { ...place, ...(ignore === undefined ? {} : { ignore }), dockerfile: parseDockerfile(text, name) }
  } catch (error) {
    await place[Symbol.asyncDispose]()
    throw error
  }
}

interface Place extends Pick<BuildContext, 'folder' | 'tar' | 'digests' | typeof Symbol.asyncDispose> {
  /** Of its Dockerfile and ignore files; undefined where there is none. */
  text(path: string): string | undefined
}

function openPlace(parts: BuilderParts, folder: string, request: BuildRequest, signal: AbortSignal): Promise<Place> {
  return request.context.kind === 'folder'
    ? openFolder(parts, folder, request.context.path)
    : receiveContext(parts, folder, { request, bytes: request.context.bytes, signal })
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
    return { folder: path, digests, text: (file) => readText(path, file), async [Symbol.asyncDispose]() {} }
  }
  const fd = await hostMounts.clone(path, { recursive: true })
  const text = (file: string): string | undefined => readText(descriptorPath(fd), file)
  return { folder: descriptorPath(fd), digests, text, [Symbol.asyncDispose]: async () => closeSync(fd) }
}

/** One file for each context folder; the oldest go. */
async function digestsFile(folder: string, path: string): Promise<string> {
  const all = join(folder, 'digests')
  await mkdir(all, { recursive: true, mode: 0o700 })
  const file = join(all, `${createHash('sha256').update(`${DIGESTS_FORM} ${path}`).digest('hex').slice(0, 32)}.json`)
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

/** The tar stays one file that is read where its files stand; one that does not bear that is unpacked. */
async function receiveContext(
  parts: BuilderParts,
  folder: string,
  receiving: { readonly request: BuildRequest; readonly bytes: Bytes; readonly signal: AbortSignal },
): Promise<Place> {
  const { request, bytes, signal } = receiving
  const home = join(folder, 'contexts', shortId())
  const root = join(home, 'root')
  await mkdir(root, { recursive: true, mode: 0o700 })
  const remove = (): Promise<void> => rm(home, { recursive: true, force: true })
  try {
    const tar = { file: join(home, 'context.tar'), index: join(home, 'context.json') }
    const input = { ...tar, folder: root, texts: textPaths(request), limit: MAX_TEXT }
    const { isIndexed, texts } = await sendContext(parts, { bytes, input, signal })
    const text = (path: string): string | undefined => texts[path]
    return { folder: root, ...(isIndexed && { tar }), text, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

const PIPE_SIZE = 1 << 20

/** From the client through a pipe to a worker: its bytes are written and hashed while more come. */
async function sendContext(
  { filters, pool }: BuilderParts,
  sending: { readonly bytes: Bytes; readonly input: Omit<ReceiveInput, 'pipe'>; readonly signal: AbortSignal },
): Promise<ReceiveOutput> {
  const { bytes, input, signal } = sending
  const pipe = createPipe({ size: PIPE_SIZE })
  try {
    // the client may stand still: it takes no thread from other work
    const job = { ...input, pipe: pipe.from }
    const received = pool.run<ReceiveInput, ReceiveOutput>('builder.receive', job, { signal, lane: 'stream' })
    const whole = decompress(bytes, filters)
    const [outcome, sent] = await Promise.allSettled([received, sendBytes(whole, { to: pipe.to, received, signal })])
    if (sent.status === 'rejected') throw sent.reason
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  } finally {
    closeSync(pipe.from)
  }
}

/** A worker that has seen a fault takes no more: the rest is read and let go, so that the client comes to hear of it. */
async function sendBytes(
  bytes: Bytes,
  sending: { readonly to: number; readonly received: Promise<unknown>; readonly signal: AbortSignal },
): Promise<void> {
  const { to, received, signal } = sending
  const ended = new AbortController()
  const end = (): void => ended.abort()
  received.then(end, end)
  const until = AbortSignal.any([signal, ended.signal])
  try {
    for await (const chunk of bytes) {
      throwIfCancelled(signal, 'build')
      if (ended.signal.aborted) continue
      try {
        await writeDescriptor(to, chunk, { signal: until })
      } catch (error) {
        if (!ended.signal.aborted) throw error
      }
    }
  } finally {
    closeSync(to)
  }
}

function dockerfileOf(place: Place, request: BuildRequest): { readonly text: string; readonly name: string } {
  if ('text' in request.dockerfile) return { text: request.dockerfile.text, name: 'Dockerfile' }
  const path = dockerfilePath(request.dockerfile.path)
  const text = place.text(path)
  if (text === undefined) throw invalid(`Cannot locate specified Dockerfile: ${request.dockerfile.path}`)
  return { text, name: path }
}

function dockerfilePath(path: string): string {
  return posix.resolve('/', path).slice(1)
}

/** `NAME.dockerignore` beside a Dockerfile goes before .dockerignore. */
function ignoreFiles(request: BuildRequest): readonly string[] {
  const own = 'path' in request.dockerfile ? [`${dockerfilePath(request.dockerfile.path)}.dockerignore`] : []
  return [...own, '.dockerignore']
}

function textPaths(request: BuildRequest): readonly string[] {
  const own = 'path' in request.dockerfile ? [dockerfilePath(request.dockerfile.path)] : []
  return [...own, ...ignoreFiles(request)]
}

function ignoreOf(place: Place, request: BuildRequest): BuildContext['ignore'] {
  for (const file of ignoreFiles(request)) {
    const text = place.text(file)
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

/** The bytes of a file of a folder that is not trusted, or of a stretch of a tar; `invalid` where it is gone, or is no file any more. */
export function readContextFile({ folder, tar }: SourceInput, { place, range }: Omit<Head, 'head'>): Bytes {
  if (tar !== undefined && range !== undefined) return readRange(tar.file, range)
  const root = openRoot(folder)
  try {
    const fd = openInRoot(root, pathOfName(place), constants.O_RDONLY | constants.O_NONBLOCK, { follow: true })
    if (fstatSync(fd).isFile()) return createReadStream('', { fd })
    closeSync(fd)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  } finally {
    closeSync(root)
  }
  throw invalid(`${place} is not there any more`)
}

function readRange(file: string, { start, size }: { readonly start: number; readonly size: number }): Bytes {
  return size === 0 ? Readable.from([]) : createReadStream(file, { start, end: start + size - 1 })
}
