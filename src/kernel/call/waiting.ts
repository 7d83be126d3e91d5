import { constants } from 'node:os'
import { BodyDecoder, cancelled, type FramedBody, invalid } from '#base'
import { ffi } from './ffi.ts'
import { libc } from './libc.ts'
import { systemCallError } from './system-call-error.ts'

const { errno } = constants
const POLLIN = 1
const POLLOUT = 4
/** So often a thread that waits looks whether it is to stop. Milliseconds. */
const LOOK_EVERY = 100
/** The kernel sends no more at once. */
const MOST_AT_ONCE = 0x7ffff000

/** Says that the work is to end: the waiting does so as `cancelled`. */
export interface Stopper {
  cancelled(): boolean
}

/**
 * Writes all of `chunk` from a worker's job to a descriptor that may be non-blocking, as a client's socket is: the thread
 * waits where it is full. A closed other end is a SystemCallError with errno EPIPE.
 */
export function writeWaiting(fd: number, chunk: Uint8Array, stopper: Stopper): void {
  for (let rest = chunk; rest.length > 0;) {
    const size = libc().write(fd, rest, rest.length)
    if (size >= 0) rest = rest.subarray(size)
    else waitFor(fd, POLLOUT, { call: 'write to descriptor', stopper })
  }
}

/** Reads what there is into `buffer`, waiting where there is nothing yet: how many bytes, 0 at the end. */
export function readWaiting(fd: number, buffer: Uint8Array, stopper: Stopper): number {
  for (;;) {
    const size = libc().read(fd, buffer, buffer.length)
    if (size >= 0) return size
    waitFor(fd, POLLIN, { call: 'read descriptor', stopper })
  }
}

const BODY_AT_ONCE = 1 << 20
/** A client that writes small pieces (docker's: 0.5 to 32 KiB) is not waited for by each of them: it would be held up each time. */
const SMALL = 1 << 16
/** Its socket takes more than it writes in that time. Milliseconds. */
const GATHERING = 0.15
const NEVER = new Int32Array(new SharedArrayBuffer(4))

/** The body of a request from its connection, which is read no further than its end. `take` gets what came at once in one piece. */
export function readBodyWaiting(
  fd: number,
  { framing, begun }: FramedBody,
  take: (bytes: Uint8Array) => void,
  stopper: Stopper,
): void {
  const decoder = new BodyDecoder(framing)
  decoder.push(begun, take)
  if (decoder.done) return
  const buffer = Buffer.allocUnsafe(BODY_AT_ONCE)
  while (!decoder.done) {
    const size = readWaiting(fd, buffer, stopper)
    if (size === 0) throw invalid('unexpected EOF')
    let used = 0
    decoder.push(buffer.subarray(0, size), ({ byteOffset, length }) => {
      const start = byteOffset - buffer.byteOffset
      buffer.copyWithin(used, start, start + length)
      used += length
    })
    if (used > 0) take(buffer.subarray(0, used))
    if (size < SMALL && !decoder.done) Atomics.wait(NEVER, 0, 0, GATHERING)
  }
}

/** Sends bytes of a file, from its position, without copying them: how many, fewer than `length` where it ends before. */
export function sendFileWaiting(
  from: number,
  to: number,
  { length, stopper }: { readonly length: number; readonly stopper: Stopper },
): number {
  for (let sent = 0; ;) {
    if (sent >= length) return sent
    if (stopper.cancelled()) throw cancelled('send file')
    const size = libc().sendfile(to, from, null, Math.min(length - sent, MOST_AT_ONCE))
    if (size === 0) return sent
    if (size > 0) sent += size
    else waitFor(to, POLLOUT, { call: 'send file to descriptor', stopper })
  }
}

/** After a call that gave -1: returns once it is worth repeating; throws its error where it is none that time heals. */
function waitFor(fd: number, events: number, { call, stopper }: { readonly call: string; readonly stopper: Stopper }) {
  const number = ffi().errno()
  if (number === errno.EINTR) return
  if (number !== errno.EAGAIN) throw systemCallError({ call, path: String(fd) }, number)
  const wanted = Buffer.alloc(8)
  wanted.writeInt32LE(fd, 0)
  wanted.writeInt16LE(events, 4)
  do {
    if (stopper.cancelled()) throw cancelled(call)
  } while (libc().poll(wanted, 1, LOOK_EVERY) === 0)
}
