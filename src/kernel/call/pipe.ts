import { constants } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { internal, throwIfCancelled } from '#base'
import { ffi } from './ffi.ts'
import { libc, O_CLOEXEC } from './libc.ts'
import { setNonBlocking, watch } from './poll.ts'
import { checked, systemCallError } from './system-call-error.ts'

const { errno } = constants
const CHUNK = 64 * 1024

/** So many chunks in a row, then the event loop gets its turn. */
const CHUNKS_A_TURN = 16

const F_SETPIPE_SZ = 1031

/**
 * A new pipe: what is written to `to` is read from `from`. Both are closed in children. `size` is how many bytes it should
 * hold (64 KiB without): much data goes faster through a large one, for its ends take turns less often.
 */
export function createPipe(options: { readonly size?: number } = {}): { readonly from: number; readonly to: number } {
  const ends = Buffer.alloc(8)
  checked(libc().pipe2(ends, O_CLOEXEC), { call: 'make a pipe' })
  const pipe = { from: ends.readInt32LE(0), to: ends.readInt32LE(4) }
  // A limit of the user's pipes may refuse it: then the pipe stays as it is.
  if (options.size !== undefined) libc().fcntl(pipe.to, F_SETPIPE_SZ, options.size)
  return pipe
}

/**
 * What comes out of a pipe, fifo, socket or terminal until its end; one chunk a read, so packets of a SOCK_SEQPACKET socket
 * stay whole (up to 64 KiB). Waits on the event loop, on no thread. The descriptor stays the caller's; it becomes
 * non-blocking, and is to be closed only after the iteration has ended: abort `signal` to end it (kind `cancelled`).
 * `chunk` is how many bytes a read may bring (64 KiB without): more are worth it for a large pipe with much in it.
 */
export async function* readDescriptor(
  fd: number,
  options: { readonly signal?: AbortSignal; readonly chunk?: number } = {},
): AsyncIterable<Uint8Array> {
  setNonBlocking(fd)
  using readable = watch(fd, 'readable', options)
  const read = createReader(fd, options.chunk ?? CHUNK)
  for (let turn = 1; ; turn += 1) {
    throwIfCancelled(options.signal, 'read')
    const chunk = read()
    if (chunk === 'wait') {
      await readable.ready()
    } else {
      if (chunk.length === 0) return
      yield chunk
      if (turn % CHUNKS_A_TURN === 0) await nextTurn()
    }
  }
}

/**
 * Writes all of `chunk` to a pipe, fifo, socket or terminal; waits on the event loop where it is full. Calls on one
 * descriptor are to be made one after the other. A closed other end is a SystemCallError with errno EPIPE.
 */
export async function writeDescriptor(
  fd: number,
  chunk: Uint8Array,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  setNonBlocking(fd)
  for (let rest = chunk; rest.length > 0;) {
    throwIfCancelled(options.signal, 'write')
    const size = libc().write(fd, rest, rest.length)
    if (size >= 0) {
      rest = rest.subarray(size)
      continue
    }
    const number = ffi().errno()
    if (number !== errno.EAGAIN && number !== errno.EINTR)
      throw systemCallError({ call: 'write to descriptor', path: String(fd) }, number)
    using writable = watch(fd, 'writable', options)
    await writable.ready()
  }
}

const SPLICE_F_NONBLOCK = 2

/**
 * Moves bytes `start` to `end` of a file into a pipe without copying them; waits on the event loop where the pipe is full.
 * The file must have these bytes. A closed other end is a SystemCallError with errno EPIPE.
 */
export async function spliceFile(
  from: number,
  { start, end }: { readonly start: number; readonly end: number },
  to: number,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const offset = Buffer.alloc(8)
  for (let at = start; at < end;) {
    throwIfCancelled(options.signal, 'write')
    offset.writeBigInt64LE(BigInt(at))
    const size = libc().splice(from, offset, to, null, end - at, SPLICE_F_NONBLOCK)
    if (size === 0) throw internal(`cannot send bytes ${start} to ${end} of a file: it ends at ${at}`)
    if (size > 0) {
      at += size
      continue
    }
    const number = ffi().errno()
    if (number !== errno.EAGAIN && number !== errno.EINTR)
      throw systemCallError({ call: 'splice to descriptor', path: String(to) }, number)
    using writable = watch(to, 'writable', options)
    await writable.ready()
  }
}

/** Reads without waiting: a chunk, an empty one at the end, or that there is nothing yet. */
function createReader(fd: number, most: number): () => Uint8Array | 'wait' {
  let buffer: Buffer | undefined
  return () => {
    const into = (buffer ??= Buffer.allocUnsafeSlow(most))
    const size = libc().read(fd, into, most)
    if (size < 0) return failedRead(fd)
    // One that is mostly full is given away, else what is in it.
    if (size <= most / 2) return Buffer.from(into.subarray(0, size))
    buffer = undefined
    return into.subarray(0, size)
  }
}

function failedRead(fd: number): Uint8Array | 'wait' {
  const number = ffi().errno()
  if (number === errno.EAGAIN || number === errno.EINTR) return 'wait'
  // The end of a terminal whose other side was closed, and of a socket whose peer died.
  if (number === errno.EIO || number === errno.ECONNRESET) return Buffer.alloc(0)
  throw systemCallError({ call: 'read descriptor', path: String(fd) }, number)
}
