import { read, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { cancelled, type Bytes, throwIfCancelled, unavailable } from '#base'

/** Places in a growth: a count of changes to wait on, the state; then the bytes, as 64 bits. */
const [CHANGES, STATE, BYTES] = [0, 1, 1]
const [GROWS, WHOLE, LOST] = [0, 1, 2]
/** A reader in a worker looks so often (milliseconds) whether its job was cancelled. */
const LOOK = 100
const CHUNK = 512 * 1024

/** What the writer and its readers in other threads share. */
export type Growth = SharedArrayBuffer

/** The writer's side. */
export interface GrowthWriter {
  readonly growth: Growth
  grown(bytes: number): void
  /** All bytes are there and verified. */
  whole(): void
  /** They will not come, or were wrong. */
  lost(): void
}

export function createGrowth(bytes: number): GrowthWriter {
  const growth = new SharedArrayBuffer(16)
  const [numbers, sizes] = [new Int32Array(growth), new BigInt64Array(growth)]
  const change = (): void => {
    Atomics.add(numbers, CHANGES, 1)
    Atomics.notify(numbers, CHANGES)
  }
  const end = (state: number): void => {
    if (Atomics.compareExchange(numbers, STATE, GROWS, state) === GROWS) change()
  }
  Atomics.store(sizes, BYTES, BigInt(bytes))
  return {
    growth,
    grown(size) {
      Atomics.store(sizes, BYTES, BigInt(size))
      change()
    },
    whole: () => end(WHOLE),
    lost: () => end(LOST),
  }
}

/**
 * Reads the next bytes at `position` of a file that grows, in a worker: waits until there are some; 0 at its end. Throws
 * `unavailable` where the rest will not come.
 */
export function readGrown(
  { fd, growth }: { readonly fd: number; readonly growth: Growth },
  buffer: Buffer,
  position: number,
  context: { cancelled(): boolean },
): number {
  const numbers = new Int32Array(growth)
  for (;;) {
    const look = lookAt(growth, position)
    if (look.available > 0) {
      const count = readSync(fd, buffer, 0, Math.min(buffer.length, look.available), position)
      if (count === 0) throw lost()
      return count
    }
    if (look.isEnd) return 0
    if (context.cancelled()) throw cancelled('read of a file that grows')
    Atomics.wait(numbers, CHANGES, look.changes, LOOK)
  }
}

const readAsync = promisify(read)

/** As `readGrown`, all of it, on the event loop; the descriptor stays the caller's. */
export async function* followGrowth(fd: number, growth: Growth, signal?: AbortSignal): Bytes {
  for await (const { start, end } of growthRanges(growth, signal)) {
    for (let at = start; at < end;) {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, end - at))
      const { bytesRead } = await readAsync(fd, buffer, 0, buffer.length, at)
      // a file that was begun anew is shorter for a while
      if (bytesRead === 0) throw lost()
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }
}

/** Which bytes have come, one range after the other, until all are there and verified; then it ends. */
export async function* growthRanges(
  growth: Growth,
  signal?: AbortSignal,
): AsyncIterable<{ readonly start: number; readonly end: number }> {
  for (let start = 0; ;) {
    throwIfCancelled(signal, 'read of a file that grows')
    const look = lookAt(growth, start)
    if (look.available > 0) {
      const end = start + look.available
      yield { start, end }
      start = end
    } else if (look.isEnd) return
    else await changed(growth, look)
  }
}

/** Resolves once all bytes are there and verified. */
export async function growthEnded(growth: Growth, signal?: AbortSignal): Promise<void> {
  for (let look = lookAt(growth, 0); !look.isWhole; look = lookAt(growth, 0)) {
    throwIfCancelled(signal, 'read of a file that grows')
    await changed(growth, look)
  }
}

async function changed(growth: Growth, { changes }: Look): Promise<void> {
  await Atomics.waitAsync(new Int32Array(growth), CHANGES, changes, LOOK).value
}

interface Look {
  readonly changes: number
  readonly available: number
  readonly isWhole: boolean
  readonly isEnd: boolean
}

function lookAt(growth: Growth, position: number): Look {
  const numbers = new Int32Array(growth)
  const changes = Atomics.load(numbers, CHANGES)
  const state = Atomics.load(numbers, STATE)
  const available = Number(Atomics.load(new BigInt64Array(growth), BYTES)) - position
  if (state === LOST) throw lost()
  const isWhole = state === WHOLE
  return { changes, available, isWhole, isEnd: isWhole && available <= 0 }
}

function lost(): Error {
  return unavailable('cannot read a file that grows: the rest of it does not come')
}
