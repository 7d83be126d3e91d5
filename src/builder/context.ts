import { mkdir, stat, utimes } from 'node:fs/promises'
import { closeSync } from 'node:fs'
import { join, posix } from 'node:path'
import { createHash } from 'node:crypto'
import { errnoOf, invalid } from '#base'
import { nameOfText } from '#archive'
import { DIGESTS_FORM, walksBeside } from '#builder/files'
import type { ReceiveInput, TextsInput } from '#builder/files'
import { parseDockerfile, parseIgnore } from '#dockerfile'
import type { Dockerfile } from '#dockerfile'
import { descriptorPath, type JobOptions } from '#kernel'
import type { Lease } from '#store/lease'
import { keepNewest } from './newest.ts'
import { MAX_TEXT, receiveContext } from './receive.ts'
import type { Place } from './receive.ts'
import { receivedNotes } from './layer-notes.ts'
import type { BuilderParts } from './session.ts'
import type { BuildRequest } from './types.ts'

/** Files of what is remembered of contexts: two for each. */
const MAX_REMEMBERED = 128

interface Holding {
  readonly lease: Lease
  readonly signal: AbortSignal
  readonly reading: JobOptions
}

/** The files that a build may read. */
export interface BuildContext extends Omit<Place, 'text'> {
  readonly ignore?: { readonly text: string; readonly file: string }
  readonly dockerfile: Dockerfile
}

/** Reads Dockerfile and ignore rules of a context; a tar is received first, into files that go with the context. */
export async function openContext(
  parts: BuilderParts,
  folder: string,
  request: BuildRequest,
  holding: Holding,
): Promise<BuildContext> {
  const place = await openPlace(parts, folder, request, holding)
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

async function openPlace(
  parts: BuilderParts,
  folder: string,
  request: BuildRequest,
  { lease, signal, reading }: Holding,
): Promise<Place> {
  const { context, noCache } = request
  if (context.kind === 'folder') {
    return openFolder(parts, { folder, path: context.path, texts: textPaths(request), reading })
  }
  const notes = receivedNotes(folder, request)
  const known = noCache ? undefined : await notes.find(parts.snapshots, lease)
  return receiveContext(parts, folder, {
    context,
    texts: textPaths(request),
    foresee: foreseeable(request),
    notes,
    known,
    signal,
  })
}

function foreseeable({ dockerfile, target }: BuildRequest): ReceiveInput['foresee'] & {} {
  const where = 'path' in dockerfile ? { path: nameOfText(dockerfilePath(dockerfile.path)) } : dockerfile
  return { dockerfile: where, ...(target === undefined ? {} : { target }) }
}

interface Opening {
  readonly folder: string
  readonly path: string
  /** Paths of the texts that are wanted. */
  readonly texts: readonly string[]
  readonly reading: JobOptions
}

async function openFolder(parts: BuilderParts, { folder, path, texts: paths, reading }: Opening): Promise<Place> {
  if (!posix.isAbsolute(path)) throw invalid(`build context ${path} is not an absolute path`)
  const digests = await digestsFile(folder, path)
  const { hostMounts } = parts
  const readTexts = (from: string): Promise<Readonly<Record<string, string>>> =>
    parts.pool.run('builder.texts', { folder: from, paths, limit: MAX_TEXT } satisfies TextsInput, {
      ...reading,
      lane: 'short',
    })
  if (hostMounts === undefined) {
    const found = await stat(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (found?.isDirectory() !== true) throw invalid(`build context ${path} is not a folder`)
    const texts = await readTexts(path)
    return {
      folder: path,
      isMovable: false,
      foreseen: [],
      digests,
      text: (file) => texts[file],
      async [Symbol.asyncDispose]() {},
    }
  }
  const fd = await hostMounts.clone(path, { recursive: true })
  try {
    const texts = await readTexts(descriptorPath(fd))
    return {
      folder: descriptorPath(fd),
      isMovable: false,
      foreseen: [],
      digests,
      text: (file) => texts[file],
      [Symbol.asyncDispose]: async () => closeSync(fd),
    }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** One file for each context folder, and one beside it of its walks; the oldest go. */
async function digestsFile(folder: string, path: string): Promise<string> {
  const all = join(folder, 'digests')
  await mkdir(all, { recursive: true, mode: 0o700 })
  const file = join(all, `${createHash('sha256').update(`${DIGESTS_FORM} ${path}`).digest('hex').slice(0, 32)}.json`)
  const now = new Date()
  for (const each of [file, walksBeside(file)])
    await utimes(each, now, now).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })
  await keepNewest(all, MAX_REMEMBERED)
  return file
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
