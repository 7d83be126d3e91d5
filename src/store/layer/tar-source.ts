import { closeSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { constants as osConstants } from 'node:os'
import { type Compression, decompressForm, detectCompression } from '#archive'
import { corrupt, isKind, unsupported } from '#base'
import { createPipe, descriptorPath, isErrno, killProcess, spawnProcess, spliceFile } from '#kernel'
import type { Digest } from '#oci'
import { type ContentStore, followGrowth, type GrowingFile, growthEnded, growthRanges } from '#store/content'
import { type Program, type Programs, checkExit, feed } from './program.ts'
import type { TarStream } from './jobs.ts'

/** Where blobs come from, and what there is to decompress them with. */
export interface TarSourceParts {
  readonly content: Pick<ContentStore, 'path' | 'read' | 'check'>
  readonly programs: Programs
}

/** A layer's bytes as they came: a blob that is here, or one on its way. */
export type TarBytes = StoredBytes | GrowingBytes

interface StoredBytes {
  readonly digest: Digest
  /** The file's own digest need not be looked at again. */
  readonly isVerified: boolean
}

type GrowingBytes = Pick<GrowingFile, 'fd' | 'growth'>

type Use<T> = (tar: TarStream) => Promise<T>

/**
 * Hands the plain tar of a blob to `use` as something that a worker can read: the file itself, or a pipe that a program
 * (else node's zlib, on its own threads) fills. The blob's form is told by its first bytes. When it resolves, the blob's own
 * digest has been verified too.
 */
export async function withTar<T>(parts: TarSourceParts, from: TarBytes, use: Use<T>, signal?: AbortSignal): Promise<T> {
  return 'digest' in from ? withBlobTar(parts, from, use, signal) : withGrowingTar(parts, from, use, signal)
}

async function withBlobTar<T>(
  parts: TarSourceParts,
  { digest, isVerified }: StoredBytes,
  use: Use<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const path = await parts.content.path(digest)
  const form = await formOf(path)
  if (form === 'plain') return use({ path })
  const known = packedForm(form)
  const program = parts.programs.decompress[known]
  if (!program) return throughPipe((fd, stop) => feed(fd, decompressForm(known, parts.content.read(digest)), stop), use)
  const [checked, done] = await Promise.allSettled([
    isVerified ? undefined : parts.content.check(digest, signal),
    throughProgram(program, path, use, signal),
  ])
  if (done.status === 'rejected') throw done.reason
  if (checked.status === 'rejected') throw checked.reason
  if (checked.value !== undefined) throw corrupt(`cannot unpack blob ${digest}: ${checked.value}`)
  return done.value
}

async function withGrowingTar<T>(
  parts: TarSourceParts,
  { fd, growth }: GrowingBytes,
  use: Use<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  // its own descriptor, at once: the one that was given may be closed by a caller who leaves
  const own = openSync(descriptorPath(fd), 'r')
  try {
    const form = await growingForm(own, growth, signal)
    if (form === 'plain') return await use({ fd: own, growth })
    const known = packedForm(form)
    const either = (stop: AbortSignal): AbortSignal => (signal ? AbortSignal.any([signal, stop]) : stop)
    const program = parts.programs.decompress[known]
    const result = await (program
      ? throughFilter(program, (to, stop) => feedGrown({ fd: own, growth }, to, either(stop)), use)
      : throughPipe((to, stop) => feed(to, decompressForm(known, followGrowth(own, growth, either(stop))), stop), use))
    await growthEnded(growth, signal)
    return result
  } finally {
    closeSync(own)
  }
}

/** Moves a file's bytes into a pipe as they come, and closes it; a reader that has gone is the reader's business. */
async function feedGrown({ fd, growth }: GrowingBytes, to: number, signal: AbortSignal): Promise<void> {
  try {
    for await (const range of growthRanges(growth, signal)) await spliceFile(fd, range, to, { signal })
  } catch (error) {
    if (!isErrno(error, 'EPIPE')) throw error
  } finally {
    closeSync(to)
  }
}

function packedForm(form: Exclude<Compression, 'plain'>): 'gzip' | 'zstd' {
  if (form === 'bzip2' || form === 'xz') throw unsupported(`cannot unpack a layer: layers are not kept as ${form}`)
  return form
}

async function growingForm(fd: number, growth: GrowingFile['growth'], signal?: AbortSignal): Promise<Compression> {
  let head = Buffer.alloc(0)
  for await (const chunk of followGrowth(fd, growth, signal)) {
    head = Buffer.concat([head, chunk.subarray(0, HEAD)])
    if (head.length >= HEAD) break
  }
  return detectCompression(head)
}

/** Bytes that tell a compression. */
const HEAD = 8

async function formOf(path: string): Promise<Compression> {
  await using file = await open(path)
  const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0)
  return detectCompression(buffer.subarray(0, bytesRead))
}

/** So much may wait in a pipe, in bytes. */
const PIPE = 1 << 20

async function throughProgram<T>(program: Program, path: string, use: Use<T>, signal?: AbortSignal): Promise<T> {
  await using file = await open(path)
  const pipe = createPipe({ size: PIPE })
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

/** Fills a pipe and closes it. */
type Fill = (to: number, stop: AbortSignal) => Promise<void>

/** Bytes from here into a program, what it makes of them to `use`. */
async function throughFilter<T>(program: Program, fill: Fill, use: Use<T>): Promise<T> {
  const input = createPipe({ size: PIPE })
  const output = createPipe({ size: PIPE })
  const child = startBetween(program, input, output)
  const stop = new AbortController()
  const fed = fill(input.to, stop.signal)
  fed.catch(() => undefined)
  try {
    const result = await use({ fd: output.from })
    await fed
    await checkExit(program, child)
    return result
  } catch (error) {
    stop.abort()
    killProcess(child.pid, osConstants.signals.SIGKILL)
    // a source that failed explains why the reader found the tar cut short
    const [outcome] = await Promise.allSettled([fed])
    throw outcome.status === 'rejected' && !isKind(outcome.reason, 'cancelled') ? outcome.reason : error
  } finally {
    closeSync(output.from)
    await child.exited
  }
}

type Pipe = ReturnType<typeof createPipe>

function startBetween(program: Program, input: Pipe, output: Pipe) {
  try {
    return spawnProcess({ ...program, stdio: [input.from, output.to, 'ignore'] })
  } catch (error) {
    closeSync(input.to)
    closeSync(output.from)
    throw error
  } finally {
    closeSync(input.from)
    closeSync(output.to)
  }
}

async function throughPipe<T>(fill: Fill, use: Use<T>): Promise<T> {
  const pipe = createPipe({ size: PIPE })
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
