import { cancelled, internal } from '#base'
import type { Stopper } from '#kernel/call'

/** Bytes of records on their way; a power of two. */
const SIZE = 4 << 20
/** Of one record at most. */
export const MOST_OF_RECORD = SIZE / 4
/** With so many waiting the reader is woken. */
const ENOUGH = 256 << 10
/** So often a side that waits looks whether it is to stop. Milliseconds. */
const LOOK_EVERY = 100
/** In front of each record: its length; the rest of the ring is not used where it is `SKIP`. */
const HEAD = 4
const SKIP = 0xffffffff
/** Records begin at such a boundary. */
const UNIT = 8

/** Numbers that both sides see, by their place. Positions count bytes and wrap at 2^32. */
const WRITTEN = 0
const READ = 1
const READER = 2
const NUMBERS = 4

/** Where the reader is: not there yet, at work, through with all, gone for a fault. */
const ABSENT = 0
const PRESENT = 1
const DONE = 2
const GONE = 3

/** Records from one worker thread to another. */
export interface Ring {
  readonly numbers: SharedArrayBuffer
  readonly bytes: SharedArrayBuffer
}

export function createRing(): Ring {
  return { numbers: new SharedArrayBuffer(4 * NUMBERS), bytes: new SharedArrayBuffer(SIZE) }
}

interface Side {
  readonly numbers: Int32Array
  readonly bytes: Buffer
  readonly stopper: Stopper
}

function sideOf(ring: Ring, stopper: Stopper): Side {
  return { numbers: new Int32Array(ring.numbers), bytes: Buffer.from(ring.bytes), stopper }
}

function load({ numbers }: Side, place: number): number {
  return Atomics.load(numbers, place) >>> 0
}

/** Sets a number that the other side may wait for. */
function tell({ numbers }: Side, place: number, value: number): void {
  Atomics.store(numbers, place, value | 0)
  Atomics.notify(numbers, place)
}

/** Waits until a number is another one, for a while: the caller looks again. */
function wait({ numbers, stopper }: Side, place: number, value: number): void {
  if (stopper.cancelled()) throw cancelled('hand over work')
  Atomics.wait(numbers, place, value | 0, LOOK_EVERY)
}

function padded(length: number): number {
  return Math.ceil((HEAD + length) / UNIT) * UNIT
}

/** The side that writes. One of it for a ring. */
export class RingWriter {
  readonly #side: Side
  #at = 0
  #told = 0

  constructor(ring: Ring, stopper: Stopper) {
    this.#side = sideOf(ring, stopper)
  }

  /** There is somebody who reads. */
  get isRead(): boolean {
    return load(this.#side, READER) === PRESENT
  }

  /** Waits for somebody who reads, for so many milliseconds at most. */
  awaitReader(patience: number): void {
    const until = performance.now() + patience
    while (load(this.#side, READER) === ABSENT && performance.now() < until) wait(this.#side, READER, ABSENT)
  }

  /** Room for a record of up to `length` bytes: valid until `put`, or the next `reserve`. */
  reserve(length: number): Buffer {
    if (length > MOST_OF_RECORD) throw internal('cannot hand over a record that is larger than its ring takes')
    const start = this.#at % SIZE
    if (start + padded(length) > SIZE) {
      this.#room(SIZE - start)
      this.#side.bytes.writeUInt32LE(SKIP, start)
      this.#at = (this.#at + SIZE - start) >>> 0
    }
    this.#room(padded(length))
    const from = (this.#at % SIZE) + HEAD
    return this.#side.bytes.subarray(from, from + length)
  }

  /** Hands over the first `length` bytes of what was reserved. */
  put(length: number): void {
    this.#side.bytes.writeUInt32LE(length, this.#at % SIZE)
    this.#at = (this.#at + padded(length)) >>> 0
    if ((this.#at - this.#told) >>> 0 >= ENOUGH) this.#tell()
  }

  /** Returns once all that was handed over is done. */
  settle(): void {
    this.#tell()
    for (;;) {
      const read = load(this.#side, READ)
      if (read === this.#at) return
      this.#waitFor(READ, read)
    }
  }

  /** No more will come. */
  end(): void {
    this.reserve(0)
    this.put(0)
    this.#tell()
  }

  /** The same; returns once the reader has ended. */
  finish(): void {
    this.end()
    while (load(this.#side, READER) !== DONE) this.#waitFor(READER, PRESENT)
  }

  #room(length: number): void {
    for (;;) {
      const read = load(this.#side, READ)
      if (((this.#at - read) >>> 0) + length <= SIZE) return
      this.#tell()
      this.#waitFor(READ, read)
    }
  }

  #waitFor(place: number, value: number): void {
    if (load(this.#side, READER) === GONE) throw cancelled('hand over work', 'who did it has stopped')
    wait(this.#side, place, value)
  }

  #tell(): void {
    if (this.#told === this.#at) return
    this.#told = this.#at
    tell(this.#side, WRITTEN, this.#at)
  }
}

/** Takes each record until the writer has finished; `end` follows the last. A record is valid during the call. */
export function readRing(ring: Ring, stopper: Stopper, use: { record(bytes: Buffer): void; end(): void }): void {
  const side = sideOf(ring, stopper)
  tell(side, READER, PRESENT)
  try {
    for (let at = 0, told = 0; ;) {
      const written = load(side, WRITTEN)
      if (written === at) {
        wait(side, WRITTEN, written)
        continue
      }
      const start = at % SIZE
      const length = side.bytes.readUInt32LE(start)
      if (length === 0) break
      if (length === SKIP) at = (at + SIZE - start) >>> 0
      else {
        use.record(side.bytes.subarray(start + HEAD, start + HEAD + length))
        at = (at + padded(length)) >>> 0
      }
      Atomics.store(side.numbers, READ, at | 0)
      if (at !== written && (at - told) >>> 0 < ENOUGH) continue
      told = at
      Atomics.notify(side.numbers, READ)
    }
    use.end()
    tell(side, READER, DONE)
  } catch (error) {
    tell(side, READER, GONE)
    Atomics.notify(side.numbers, READ)
    throw error
  }
}
