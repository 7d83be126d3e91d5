import { constants } from 'node:os'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { throwIfCancelled } from '#base'
import { ffi, libc, setNonBlocking, systemCallError, watch } from '#kernel/call'
import { type Borrowed, createBufferPool } from './buffer-pool.ts'
import { widenPeer } from './socket.ts'

const { errno } = constants

/** Bytes of one chunk at most. */
const ROOM = 1 << 18
/** Chunks that a reader may keep; of further ones it gets copies. */
const LENT = 3
/** Longest packet. */
const PACKET = 1 << 16

/** Who sends again so soon is busy: then it is left so long to send more. Milliseconds. */
const BUSY_WITHIN = 2
const GATHER = 1
/** So many bytes of packets a busy sender may be ahead: it goes on while the reader gathers, or has no processor. */
const AHEAD = 4 << 20

/** What came in packets whose first byte said what they are. */
export interface TaggedChunk {
  readonly tag: number
  readonly bytes: Uint8Array
  /** To be called, once, when `bytes` is read no more: then other packets are read into it. Who keeps it does not call. */
  readonly release?: () => void
}

/**
 * Packets of a SOCK_SEQPACKET socket (64 KiB at most) that begin with a tag, to its end: those of one tag that lie there one
 * after the other come as one chunk, for a chunk costs more than its bytes. Waits, ends and leaves the descriptor as
 * `readDescriptor` does. A sender that is busy is given a larger socket.
 */
export async function* readTaggedPackets(
  fd: number,
  options: { readonly signal?: AbortSignal } = {},
): AsyncIterable<TaggedChunk> {
  setNonBlocking(fd)
  using readable = watch(fd, 'readable', options)
  const pool = createBufferPool(ROOM, LENT)
  const pause = createPause(fd)
  for (;;) {
    throwIfCancelled(options.signal, 'read')
    const borrowed = pool.borrow()
    const { runs, met } = fill(fd, borrowed.buffer)
    yield* chunksOf(runs, borrowed)
    if (met === 'end') return
    await (runs.length === 0 ? readable.ready() : pause(met))
  }
}

/** Between two reads the event loop gets its turn, and a busy sender time and room to send more. */
function createPause(fd: number): (met: Filled['met']) => Promise<unknown> {
  let last = 0
  let isWide = false
  return (met) => {
    const now = performance.now()
    const isBusy = now - last < BUSY_WITHIN
    last = now
    if (!isBusy) return nextTurn()
    if (!isWide) widenPeer(fd, AHEAD)
    isWide = true
    return met === 'full' ? nextTurn() : sleep(GATHER)
  }
}

/** The buffer goes back once all of its runs were given back. */
function* chunksOf(runs: readonly Run[], { buffer, giveBack }: Borrowed): Iterable<TaggedChunk> {
  let left = runs.length
  if (left === 0) giveBack?.()
  const release = (): void => {
    left -= 1
    if (left === 0) giveBack?.()
  }
  for (const { tag, start, end } of runs) {
    const bytes = buffer.subarray(start, end)
    yield giveBack ? { tag, bytes, release } : { tag, bytes: Buffer.from(bytes) }
  }
}

interface Run {
  readonly tag: number
  readonly start: number
  end: number
}

interface Filled {
  readonly runs: readonly Run[]
  /** Why no more was read. */
  readonly met: 'end' | 'nothing' | 'full'
}

/** Packets are read behind each other; the tag's byte lies on the last one before, which is put back. */
function fill(fd: number, buffer: Buffer): Filled {
  const runs: Run[] = []
  let used = 1
  while (used + PACKET <= ROOM) {
    const at = used - 1
    const covered = buffer[at] ?? 0
    const size = readPacket(fd, buffer.subarray(at))
    if (size < 0) return { runs, met: metBy(fd) }
    if (size === 0) return { runs, met: 'end' }
    const tag = buffer[at] ?? 0
    buffer[at] = covered
    const last = runs.at(-1)
    used = at + size
    if (last?.tag === tag) last.end = used
    else runs.push({ tag, start: at + 1, end: used })
  }
  return { runs, met: 'full' }
}

/**
 * A peer that closes with packets of ours unread leaves a reset before its own last packets: the first read gives it and
 * takes it away, the next ones give the packets and the end.
 */
function readPacket(fd: number, room: Buffer): number {
  const size = libc().read(fd, room, PACKET)
  return size < 0 && ffi().errno() === errno.ECONNRESET ? libc().read(fd, room, PACKET) : size
}

/** After a read that gave -1. */
function metBy(fd: number): 'end' | 'nothing' {
  const number = ffi().errno()
  if (number === errno.EAGAIN || number === errno.EINTR) return 'nothing'
  // A peer that died, told twice.
  if (number === errno.ECONNRESET) return 'end'
  throw systemCallError({ call: 'read descriptor', path: String(fd) }, number)
}
