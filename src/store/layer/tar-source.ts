import { closeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { constants as osConstants } from 'node:os'
import { type Compression, decompressForm, detectCompression } from '#archive'
import { unsupported } from '#base'
import { createPipe, killProcess, spawnProcess } from '#kernel'
import type { Digest } from '#oci'
import type { ContentReader } from '#store/content'
import { type Program, type Programs, checkExit, feed } from './program.ts'
import type { Stream } from './jobs.ts'

/** Where blobs come from, and what there is to decompress them with. */
export interface TarSourceParts {
  readonly content: ContentReader
  readonly programs: Programs
}

/**
 * Hands the plain tar of a blob to `use` as something that a worker can read: the file itself, or a pipe that a program
 * (else node's zlib, on its own threads) fills. The blob's form is told by its first bytes.
 */
export async function withTar<T>(
  parts: TarSourceParts,
  digest: Digest,
  use: (tar: Stream) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const path = await parts.content.path(digest)
  const form = await formOf(path)
  if (form === 'plain') return use({ path })
  if (form === 'bzip2' || form === 'xz')
    throw unsupported(`cannot unpack blob ${digest}: layers are not kept as ${form}`)
  const program = parts.programs.decompress[form]
  if (program) return throughProgram(program, path, use, signal)
  return throughPipe((fd, stop) => feed(fd, decompressForm(form, parts.content.read(digest)), stop), use)
}

async function formOf(path: string): Promise<Compression> {
  await using file = await open(path)
  const { bytesRead, buffer } = await file.read(Buffer.alloc(8), 0, 8, 0)
  return detectCompression(buffer.subarray(0, bytesRead))
}

async function throughProgram<T>(
  program: Program,
  path: string,
  use: (tar: Stream) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await using file = await open(path)
  const pipe = createPipe()
  const child = startInto(program, file.fd, pipe)
  const kill = (): void => void killProcess(child.pid, osConstants.signals.SIGKILL)
  signal?.addEventListener('abort', kill)
  try {
    const result = await use({ fd: pipe.from })
    await checkExit(program, child)
    return result
  } finally {
    signal?.removeEventListener('abort', kill)
    closeSync(pipe.from)
    await child.exited
  }
}

function startInto(program: Program, input: number, pipe: { readonly from: number; readonly to: number }) {
  try {
    return spawnProcess({ ...program, stdio: [input, pipe.to, 'ignore'] })
  } catch (error) {
    closeSync(pipe.from)
    throw error
  } finally {
    closeSync(pipe.to)
  }
}

async function throughPipe<T>(
  fill: (fd: number, stop: AbortSignal) => Promise<void>,
  use: (tar: Stream) => Promise<T>,
): Promise<T> {
  const pipe = createPipe()
  const stop = new AbortController()
  const filled = fill(pipe.to, stop.signal)
  filled.catch(() => undefined)
  let open = true
  const close = (): void => {
    if (open) closeSync(pipe.from)
    open = false
  }
  try {
    const result = await use({ fd: pipe.from })
    close()
    await filled
    return result
  } catch (error) {
    close()
    // a source that failed explains why the reader found the tar cut short
    const outcome = await Promise.allSettled([filled])
    throw outcome[0].status === 'rejected' ? outcome[0].reason : error
  } finally {
    stop.abort()
    close()
  }
}
