import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { cancelled, internal } from '#base'
import {
  closeDescriptor,
  createPipe,
  cString,
  duplicate,
  ffi,
  isErrno,
  libc,
  readDescriptor,
  systemCallError,
  writeDescriptor,
} from '#kernel/call'
import { killProcess, processExited } from './process.ts'
import type { ExitStatus, ProcessRequest, SpawnedProcess } from './types.ts'

/** More than sizeof(posix_spawn_file_actions_t) and sizeof(posix_spawnattr_t) of glibc and musl. */
const STRUCT_ROOM = 512
const SETSIGDEF = 0x04
const SETSIGMASK = 0x08
const SETSID = 0x80
const SIGSET_BYTES = 128
const WNOHANG = 1

/**
 * Starts a child by posix_spawn. It gets `stdio` and no other descriptor, default signal handlers and an empty signal mask,
 * and the namespaces of the calling thread. Works on the main thread and in workers. A child in a session of its own is
 * meant to outlive us: waiting for its end does not keep the process alive.
 */
export function spawnProcess(request: ProcessRequest): SpawnedProcess {
  const { pid, pipes } = startProcess(request)
  return { pid, pipes, exited: reaped(pid, request.session !== true) }
}

export interface RunOptions {
  readonly input?: Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly signal?: AbortSignal
  /** Bytes of stdout and of stderr that are kept; the rest is read and dropped. Default 16 MiB. */
  readonly limit?: number
  /** Called once it runs. */
  readonly onStart?: (pid: number) => void
}

const OUTPUT_LIMIT = 16 << 20

/** Runs a program to its end. A status other than 0 is not an error here; aborting kills it and ends as `cancelled`. */
export async function runProcess(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ readonly status: ExitStatus; readonly stdout: Buffer; readonly stderr: Buffer }> {
  if (options.signal?.aborted) throw cancelled(`run ${file}`, options.signal.reason)
  const child = spawnProcess({
    file,
    args,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  options.onStart?.(child.pid)
  const kill = (): void => void killProcess(child.pid, constants.signals.SIGKILL)
  options.signal?.addEventListener('abort', kill)
  try {
    const limit = options.limit ?? OUTPUT_LIMIT
    const [stdout, stderr] = await Promise.all([
      drain(child.pipes.get(1), limit),
      drain(child.pipes.get(2), limit),
      feed(child.pipes.get(0), options.input),
    ])
    const status = await child.exited
    if (options.signal?.aborted) throw cancelled(`run ${file}`, options.signal.reason)
    return { status, stdout, stderr }
  } finally {
    options.signal?.removeEventListener('abort', kill)
  }
}

function startProcess(request: ProcessRequest): {
  readonly pid: number
  readonly pipes: ReadonlyMap<number, number>
} {
  const pipes = new Map<number, number>()
  const temporary: number[] = []
  try {
    const sources = request.stdio.map((wanted, index) => {
      const source = openSource(wanted, index, pipes)
      if (source.ours) temporary.push(source.fd)
      return source.fd
    })
    return { pid: spawn(request, lifted(sources, temporary)), pipes }
  } catch (error) {
    for (const fd of pipes.values()) closeDescriptor(fd)
    throw error
  } finally {
    for (const fd of temporary) closeDescriptor(fd)
  }
}

function openSource(
  wanted: number | 'pipe' | 'ignore',
  index: number,
  pipes: Map<number, number>,
): { readonly fd: number; readonly ours: boolean } {
  if (typeof wanted === 'number') return { fd: wanted, ours: false }
  if (wanted === 'ignore') return { fd: openSync('/dev/null', 'r+'), ours: true }
  const { from, to } = createPipe()
  pipes.set(index, index === 0 ? to : from)
  return { fd: index === 0 ? from : to, ours: true }
}

/** Sources below the number of targets would be overwritten by an earlier dup2: they are duplicated above. */
function lifted(sources: readonly number[], temporary: number[]): readonly number[] {
  return sources.map((fd) => {
    if (fd >= sources.length) return fd
    const higher = duplicate(fd, sources.length)
    temporary.push(higher)
    return higher
  })
}

function spawn(request: ProcessRequest, sources: readonly number[]): number {
  const c = libc()
  const [actions, attributes] = [Buffer.alloc(STRUCT_ROOM), Buffer.alloc(STRUCT_ROOM)]
  must(c.actionsInit(actions), request)
  must(c.attrInit(attributes), request)
  try {
    if (request.cwd !== undefined) must(c.actionsChdir(actions, cString(request.cwd)), request)
    for (const [target, source] of sources.entries()) must(c.actionsDup2(actions, source, target), request)
    closeOthers(actions, sources.length, request)
    // Node ignores SIGPIPE; an ignored signal would stay ignored in the child.
    must(c.attrDefault(attributes, Buffer.alloc(SIGSET_BYTES, 0xff)), request)
    must(c.attrMask(attributes, Buffer.alloc(SIGSET_BYTES)), request)
    must(c.attrFlags(attributes, SETSIGDEF | SETSIGMASK | (request.session ? SETSID : 0)), request)
    const pid = Buffer.alloc(4)
    const env = Object.entries(request.env ?? process.env).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${value}`],
    )
    must(
      c.spawnp(pid, request.file, actions, attributes, [request.file, ...request.args, null], [...env, null]),
      request,
    )
    return pid.readInt32LE(0)
  } finally {
    c.actionsDestroy(actions)
    c.attrDestroy(attributes)
  }
}

/** glibc has it from 2.34 on, musl not: there it is left to the close-on-exec flag, which every descriptor of ours has. */
function closeOthers(actions: Buffer, from: number, request: ProcessRequest): void {
  const close = libc().actionsCloseFrom
  if (close) must(close(actions, from), request)
}

/** The functions of posix_spawn give the errno back. */
function must(number: number, request: ProcessRequest): void {
  if (number !== 0) throw systemCallError({ call: 'start', path: request.file }, number)
}

async function reaped(pid: number, keepAlive: boolean): Promise<ExitStatus> {
  await processExited(pid, { keepAlive })
  const status = waitStatus(pid, WNOHANG)
  if (!status) throw internal(`cannot wait for process ${pid}: it has not ended`)
  return status
}

/** Only for a pid of our own; undefined where it still runs (WNOHANG). */
function waitStatus(pid: number, flags: number): ExitStatus | undefined {
  const status = Buffer.alloc(4)
  for (;;) {
    const result = libc().waitpid(pid, status, flags)
    if (result === 0) return undefined
    if (result > 0) return exitStatus(status.readInt32LE(0))
    const number = ffi().errno()
    if (number !== constants.errno.EINTR) throw systemCallError({ call: 'wait for process', path: String(pid) }, number)
  }
}

/** What waitpid tells, as a shell would: 128 + signal for a killed process. */
export function exitStatus(status: number): ExitStatus {
  const signal = status & 0x7f
  if (signal === 0) return { code: (status >> 8) & 0xff }
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0]
  return { code: 128 + signal, signal: name ?? `SIG${signal}` }
}

async function drain(fd: number | undefined, limit: number): Promise<Buffer> {
  if (fd === undefined) return Buffer.alloc(0)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of readDescriptor(fd)) {
      if (size < limit) chunks.push(chunk.subarray(0, limit - size))
      size += chunk.length
    }
  } finally {
    closeSync(fd)
  }
  return Buffer.concat(chunks)
}

async function feed(fd: number | undefined, input: Uint8Array | undefined): Promise<void> {
  if (fd === undefined || input === undefined) return
  try {
    await writeDescriptor(fd, input)
  } catch (error) {
    // A program that does not read all of its input says so by its status.
    if (!isErrno(error, 'EPIPE')) throw error
  } finally {
    closeSync(fd)
  }
}
