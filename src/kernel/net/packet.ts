import { constants } from 'node:os'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { throwIfCancelled } from '#base'
import { ffi, libc, setNonBlocking, systemCallError, watch } from '#kernel/call'

const { errno } = constants

/** Bytes of one chunk: a socket holds about so much. */
const ROOM = 1 << 18
/** Longest packet. */
const PACKET = 1 << 16

/** Who sends again so soon is busy: then it is left so long to send more. Milliseconds. */
const BUSY_WITHIN = 2
const GATHER = 1

/** What came in packets whose first byte said what they are. */
export interface TaggedChunk {
  readonly tag: number
  readonly bytes: Uint8Array
}

/**
 * Packets of a SOCK_SEQPACKET socket (64 KiB at most) that begin with a tag, to its end: those of one tag that lie there one
 * after the other come as one chunk, for a chunk costs more than its bytes. Waits, ends and leaves the descriptor as
 * `readDescriptor` does.
 */
export async function* readTaggedPackets(
  fd: number,
  options: { readonly signal?: AbortSignal } = {},
): AsyncIterable<TaggedChunk> {
  setNonBlocking(fd)
  using readable = watch(fd, 'readable', options)
  let buffer = Buffer.allocUnsafeSlow(ROOM)
  for (let last = 0; ;) {
    throwIfCancelled(options.signal, 'read')
    const { runs, used, met } = fill(fd, buffer)
    // A buffer that is mostly full is given away, else what is in it.
    const given = used > ROOM / 2
    for (const { tag, start, end } of runs) {
      const bytes = buffer.subarray(start, end)
      yield { tag, bytes: given ? bytes : Buffer.from(bytes) }
    }
    if (given) buffer = Buffer.allocUnsafeSlow(ROOM)
    if (met === 'end') return
    if (runs.length === 0) {
      await readable.ready()
      continue
    }
    const now = performance.now()
    await (now - last < BUSY_WITHIN ? sleep(GATHER) : nextTurn())
    last = now
  }
}

interface Run {
  readonly tag: number
  readonly start: number
  end: number
}

interface Filled {
  readonly runs: readonly Run[]
  readonly used: number
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
    const size = libc().read(fd, buffer.subarray(at), PACKET)
    if (size < 0) return { runs, used, met: metBy(fd) }
    if (size === 0) return { runs, used, met: 'end' }
    const tag = buffer[at] ?? 0
    buffer[at] = covered
    const last = runs.at(-1)
    used = at + size
    if (last?.tag === tag) last.end = used
    else runs.push({ tag, start: at + 1, end: used })
  }
  return { runs, used, met: 'full' }
}

/** After a read that gave -1. */
function metBy(fd: number): 'end' | 'nothing' {
  const number = ffi().errno()
  if (number === errno.EAGAIN || number === errno.EINTR) return 'nothing'
  // A peer that died.
  if (number === errno.ECONNRESET) return 'end'
  throw systemCallError({ call: 'read descriptor', path: String(fd) }, number)
}
