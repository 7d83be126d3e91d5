import { readSync } from 'node:fs'
import { ffi, libc, writeBytes } from '#kernel/call'

const F_GETFL = 3
const F_SETFL = 4
const O_DIRECT = process.arch === 'arm64' ? 0o200000 : 0o40000
/** What every disk takes as a unit. Bytes. */
const UNIT = 4096
const AT_ONCE = 4 << 20
/** So many bytes are enough to tell how fast a way is. */
const WINDOW = 16 << 20
/** Bytes a second: what the page cache gives where it has memory at hand. */
const FAST = 800e6

type Way = 'cached' | 'direct'

/** Says which way the bytes of a file go. */
export interface Pacer {
  way: Way
  /** True where the next bytes are to go the other way. */
  note(bytes: number, seconds: number): boolean
  /** No more changes. */
  settle(): void
}

/**
 * Chooses between the page cache and the disk for a large file. The page cache is faster by far while memory is at hand, and slower
 * where it has to be won first: from other pages, or on a virtual machine from the host.
 */
class Pace implements Pacer {
  way: Way = 'cached'
  #isSettled = false
  #cached = 0
  #bytes = 0
  #seconds = 0

  note(bytes: number, seconds: number): boolean {
    this.#bytes += bytes
    this.#seconds += seconds
    if (this.#isSettled || this.#bytes < WINDOW) return false
    const rate = this.#bytes / this.#seconds
    this.#bytes = 0
    this.#seconds = 0
    if (this.way === 'direct') {
      this.settle()
      return rate < this.#cached
    }
    this.#cached = rate
    return rate < FAST
  }

  settle(): void {
    this.#isSettled = true
  }
}

/** Writes a new file from its beginning to its end, by the faster way. */
export class BulkWriter {
  readonly #fd: number
  readonly #pace: Pacer
  #buffer: Buffer | undefined
  #used = 0
  #size = 0

  constructor(fd: number, pace: Pacer = new Pace()) {
    this.#fd = fd
    this.#pace = pace
  }

  /** What is smaller than a window goes through the page cache at once, of more the disk takes whole units. */
  write(chunk: Uint8Array): void {
    const head = chunk.subarray(0, Math.max(0, WINDOW - this.#size))
    if (head.length > 0) this.#put(head, this.#size + head.length === WINDOW)
    for (let rest = chunk.subarray(head.length); rest.length > 0;) {
      const buffer = (this.#buffer ??= alignedBuffer())
      const piece = rest.subarray(0, buffer.length - this.#used)
      buffer.set(piece, this.#used)
      this.#used += piece.length
      rest = rest.subarray(piece.length)
      if (this.#used === buffer.length) this.#flush(buffer)
    }
    this.#size += chunk.length
  }

  /** To be called once, after all bytes: some may still wait. */
  finish(): void {
    if (this.#pace.way === 'direct') setDirect(this.#fd, false)
    if (this.#buffer) writeBytes(this.#fd, this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }

  #flush(buffer: Buffer): void {
    this.#used = 0
    this.#put(buffer, true)
  }

  /** `isWhole`: what follows begins with a unit. */
  #put(chunk: Uint8Array, isWhole: boolean): void {
    const start = performance.now()
    writeBytes(this.#fd, chunk)
    if (this.#pace.note(chunk.length, (performance.now() - start) / 1000) && isWhole) change(this.#fd, this.#pace)
  }
}

/** Reads a file from its beginning, by the faster way. A chunk is valid until the next. */
export class BulkReader {
  readonly #fd: number
  readonly #pace: Pacer
  readonly #small: Buffer
  #large: Buffer | undefined
  #at = 0

  /** `buffer` is what smaller files are read into. */
  constructor(fd: number, buffer: Buffer, pace: Pacer = new Pace()) {
    this.#fd = fd
    this.#small = buffer
    this.#pace = pace
  }

  /** Up to `most` bytes; empty at the end. */
  next(most: number): Buffer {
    const isDirect = this.#pace.way === 'direct' && this.#at % UNIT === 0
    const buffer = isDirect ? (this.#large ??= alignedBuffer()) : this.#small
    const start = performance.now()
    // of the last unit the disk gives what there is, asked for all of it
    const wanted = isDirect ? buffer.length : Math.min(buffer.length, most)
    const size = readSync(this.#fd, buffer, 0, wanted, this.#at)
    if (this.#pace.note(size, (performance.now() - start) / 1000)) change(this.#fd, this.#pace)
    const given = Math.min(size, most)
    this.#at += given
    return buffer.subarray(0, given)
  }
}

function change(fd: number, pace: Pacer): void {
  pace.way = pace.way === 'cached' ? 'direct' : 'cached'
  if (setDirect(fd, pace.way === 'direct')) return
  pace.way = 'cached'
  pace.settle()
}

/** False where the file system does not know how. */
function setDirect(fd: number, isDirect: boolean): boolean {
  const flags = libc().fcntl(fd, F_GETFL, 0)
  return flags >= 0 && libc().fcntl(fd, F_SETFL, isDirect ? flags | O_DIRECT : flags & ~O_DIRECT) === 0
}

/** Memory that begins at a unit, which the disk asks for. */
function alignedBuffer(): Buffer {
  const memory = Buffer.allocUnsafeSlow(AT_ONCE + UNIT)
  const start = (UNIT - Number(ffi().address(memory) % BigInt(UNIT))) % UNIT
  return memory.subarray(start, start + AT_ONCE)
}
