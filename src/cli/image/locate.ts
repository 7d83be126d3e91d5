import { readFile, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, resolve } from 'node:path'
import { type Bytes, collect, type EngineError, errnoOf, invalid, unsupported } from '#base'
import type { Context } from '#cli/kit'

/** What is built: a folder, or a tar that comes by itself; `dockerfile` is its path in the context. */
export type Located =
  | {
      readonly kind: 'folder'
      readonly path: string
      readonly dockerfile: string | undefined
      /** Of `-f -`, or of a file outside the folder. */
      readonly dockerfileText?: string
    }
  | { readonly kind: 'tar'; readonly bytes: Bytes; readonly dockerfile: string | undefined }

interface Wanted {
  readonly path: string
  readonly file: string | undefined
}

/** Longest Dockerfile read from stdin or from outside the context. */
const MAX_DOCKERFILE = 4 * 1024 * 1024

export async function locateContext(context: Context, { path, file }: Wanted): Promise<Located> {
  if (/^(https?|git|ssh):\/\/|^git@|^github\.com\//.test(path))
    throw unsupported(
      `cannot build from ${path}: contexts of other places are not known yet; fetch it and give its folder`,
    )
  if (path === '-') {
    if (file === '-') throw invalid("invalid argument: can't use stdin for both build context and dockerfile")
    return await fromStdin(context, file)
  }
  const folder = await existingFolder(resolve(context.cwd, path), path)
  if (file === undefined) return { kind: 'folder', path: folder, dockerfile: await usualDockerfile(folder) }
  if (file === '-')
    return { kind: 'folder', path: folder, dockerfile: undefined, dockerfileText: await textOf(context) }
  return await withFile(context, folder, file)
}

/** As docker: first as typed from here, then below the context. */
async function withFile({ cwd }: Context, folder: string, file: string): Promise<Located> {
  const typed = resolve(cwd, file)
  const place = (await exists(typed)) ? await realpath(typed) : isAbsolute(file) ? undefined : join(folder, file)
  if (place === undefined || !(await exists(place))) throw noDockerfile(typed)
  const inside = relative(folder, place)
  if (inside !== '' && !inside.startsWith('..') && !isAbsolute(inside))
    return { kind: 'folder', path: folder, dockerfile: inside }
  return { kind: 'folder', path: folder, dockerfile: basename(place), dockerfileText: await readFile(place, 'utf8') }
}

/** Undefined for the usual name; some write it small. */
async function usualDockerfile(folder: string): Promise<string | undefined> {
  const [usual, small] = [join(folder, 'Dockerfile'), join(folder, 'dockerfile')]
  if (await exists(usual)) return undefined
  if (await exists(small)) return 'dockerfile'
  throw noDockerfile(usual)
}

function noDockerfile(path: string): EngineError {
  return invalid(
    `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
  )
}

/** A tar; or a Dockerfile alone, told apart by what it begins with. */
async function fromStdin({ io }: Context, file: string | undefined): Promise<Located> {
  const chunks = io.stdin.bytes[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  let size = 0
  while (size < TAR_BLOCK) {
    const next = await chunks.next()
    if (next.done === true) break
    head.push(next.value)
    size += next.value.length
  }
  const beginning = Buffer.concat(head)
  const rest: Bytes = { [Symbol.asyncIterator]: () => chunks }
  const bytes = joined(beginning, rest)
  if (looksPacked(beginning)) return { kind: 'tar', bytes, dockerfile: file }
  const { writeTar } = await import('#archive')
  const text = await collect(bytes, MAX_DOCKERFILE)
  return {
    kind: 'tar',
    bytes: writeTar([{ kind: 'file', path: 'Dockerfile', mode: 0o644, size: text.length, body: text }]),
    dockerfile: undefined,
  }
}

const TAR_BLOCK = 512

/** gzip, bzip2, xz, zstd, or the mark of a tar's first header. */
function looksPacked(bytes: Buffer): boolean {
  const magic = ['1f8b', '425a68', 'fd377a585a00', '28b52ffd']
  if (magic.some((hex) => bytes.subarray(0, hex.length / 2).toString('hex') === hex)) return true
  return bytes.length >= TAR_BLOCK && bytes.subarray(257, 262).toString('latin1') === 'ustar'
}

async function* joined(first: Uint8Array, rest: Bytes): Bytes {
  yield first
  yield* rest
}

async function textOf({ io }: Context): Promise<string> {
  return (await collect(io.stdin.bytes, MAX_DOCKERFILE)).toString()
}

async function existingFolder(path: string, typed: string): Promise<string> {
  try {
    const place = await realpath(path)
    if ((await stat(place)).isDirectory()) return place
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
    throw invalid(`unable to prepare context: path "${typed}" not found`, { cause: error })
  }
  throw invalid(`unable to prepare context: context must be a directory: ${path}`)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}
