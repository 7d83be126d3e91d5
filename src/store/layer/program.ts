import { closeSync, constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { constants as osConstants } from 'node:os'
import { join } from 'node:path'
import { type Bytes, corrupt } from '#base'
import type { Compression, Filter, Filters } from '#archive'
import { type SpawnedProcess, isErrno, killProcess, readDescriptor, spawnProcess, writeDescriptor } from '#kernel'

/** How a program is called as a filter from its input to its output. */
export interface Program {
  readonly file: string
  readonly args: readonly string[]
}

/** The programs of this machine that compress and decompress; what is missing is done in this process, or not at all. */
export interface Programs {
  readonly compress: Readonly<Partial<Record<Compression, Program>>>
  readonly decompress: Readonly<Partial<Record<Compression, Program>>>
}

export const NO_PROGRAMS: Programs = { compress: {}, decompress: {} }

/**
 * Looks for programs in the folders of a search path (as in PATH): igzip, four times as fast as zlib; zstd; bzip2 and xz,
 * for which there is nothing else.
 */
export async function findPrograms(searchPath: string): Promise<Programs> {
  const find = async (name: string, ...args: readonly string[]): Promise<Program | undefined> => {
    for (const folder of searchPath.split(':')) {
      if (folder.startsWith('/') && (await isExecutable(join(folder, name)))) return { file: join(folder, name), args }
    }
    return undefined
  }
  const [gzip, gunzip, zstd, unzstd, bunzip2, unxz] = await Promise.all([
    // without -n the time of packing is in the bytes: the same layer would have another digest each time
    find('igzip', '-1', '-n', '-c'),
    find('igzip', '-d', '-c'),
    find('zstd', '-1', '-q', '-c', '-T2'),
    find('zstd', '-d', '-q', '-c'),
    find('bzip2', '-d', '-c'),
    find('xz', '-d', '-c'),
  ])
  return {
    compress: { ...(gzip && { gzip }), ...(zstd && { zstd }) },
    decompress: {
      ...(gunzip && { gzip: gunzip }),
      ...(unzstd && { zstd: unzstd }),
      ...(bunzip2 && { bzip2: bunzip2 }),
      ...(unxz && { xz: unxz }),
    },
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The programs as filters for `archive`: each stream has a process of its own, which ends with the stream. */
export function filtersOf(programs: Programs): Filters {
  return { compress: mapped(programs.compress), decompress: mapped(programs.decompress) }
}

function mapped(programs: Programs['compress']): Readonly<Partial<Record<Compression, Filter>>> {
  return Object.fromEntries(
    Object.entries(programs).map(([form, program]) => [form, (bytes: Bytes) => runFilter(program, bytes)]),
  )
}

async function* runFilter(program: Program, bytes: Bytes): Bytes {
  const child = spawnProcess({ ...program, stdio: ['pipe', 'pipe', 'ignore'] })
  const [input, output] = [child.pipes.get(0) ?? -1, child.pipes.get(1) ?? -1]
  const stop = new AbortController()
  const fed = feed(input, bytes, stop.signal)
  // looked at below; until then a failure of the source must not count as unhandled
  fed.catch(() => undefined)
  try {
    yield* readDescriptor(output)
    await fed
    await checkExit(program, child)
  } finally {
    stop.abort()
    killProcess(child.pid, osConstants.signals.SIGKILL)
    closeSync(output)
    await Promise.allSettled([fed, child.exited])
  }
}

/** Writes all bytes into a pipe and closes it; a reader that has gone is the reader's business. */
export async function feed(fd: number, bytes: Bytes, signal?: AbortSignal): Promise<void> {
  try {
    for await (const chunk of bytes) await writeDescriptor(fd, chunk, signal ? { signal } : {})
  } catch (error) {
    if (!isErrno(error, 'EPIPE')) throw error
  } finally {
    closeSync(fd)
  }
}

/** Throws `corrupt` where a decompressing program did not like its input. */
export async function checkExit(program: Program, child: SpawnedProcess): Promise<void> {
  const { code } = await child.exited
  if (code !== 0) throw corrupt(`malformed compressed bytes: ${program.file} ended with ${code}`)
}
