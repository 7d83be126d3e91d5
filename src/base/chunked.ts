import { invalid } from './error.ts'

/** How the end of an HTTP/1.1 body is told: by chunks (RFC 9112, 7.1), or as so many bytes. */
export type Framing = 'chunked' | number

/** A request's body that can be read by a worker where it comes. */
export interface BodyOnConnection {
  /** The body's first bytes: six or more, fewer only where it has no more. */
  first(): Promise<Uint8Array>
  /** Once `first` is known: all of it has come, nothing is left to read. */
  readonly isWhole: boolean
  /** Leaves the connection to the caller's worker: nobody else reads it until the request is answered, or `giveBack`. */
  take(): FramedBody & { readonly descriptor: number }
  /** The body has been read to its end: a client that leaves from now on is noticed. */
  giveBack(): void
}

/** What is known of a body when somebody else reads on. */
export interface FramedBody {
  readonly framing: Framing
  /** What came so far, with its framing. */
  readonly begun: Uint8Array
}

/** Longest line before a chunk, and longest trailer: what they may say is not asked for here. */
const MAX_LINE = 4096

type Expecting = 'size' | 'bytes' | 'break' | 'trailer' | 'nothing'

/** Takes the framing off an HTTP/1.1 body that comes in pieces of any size. Malformed framing is `invalid`. */
export class BodyDecoder {
  #expecting: Expecting
  #left: number
  #line = ''
  readonly #chunked: boolean

  constructor(framing: Framing) {
    this.#chunked = framing === 'chunked'
    this.#left = framing === 'chunked' ? 0 : framing
    if (framing === 'chunked') this.#expecting = 'size'
    else this.#expecting = framing > 0 ? 'bytes' : 'nothing'
  }

  /** True once the body's last byte has come. */
  get done(): boolean {
    return this.#expecting === 'nothing'
  }

  /** `take` gets the body's bytes as views of what was pushed; what is behind the body's end is left out. */
  push(pushed: Uint8Array, take: (bytes: Uint8Array) => void): void {
    for (let at = 0; at < pushed.length && !this.done;) {
      if (this.#expecting === 'bytes') {
        const end = Math.min(pushed.length, at + this.#left)
        take(pushed.subarray(at, end))
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#expecting = this.#chunked ? 'break' : 'nothing'
      } else {
        at = this.#takeBreak(pushed, at) ?? this.#takeLine(pushed, at)
      }
    }
  }

  /** What stands between most chunks, where it is here in one piece: an empty line, and a size without an extension. */
  #takeBreak(pushed: Uint8Array, start: number): number | undefined {
    if (this.#expecting !== 'break' || this.#line !== '') return undefined
    if (pushed[start] !== CARRIAGE_RETURN || pushed[start + 1] !== LINE_FEED) return undefined
    let at = start + 2
    let size = 0
    const end = at + MOST_DIGITS
    for (let digit = digitOf(pushed[at]); digit >= 0 && at < end; digit = digitOf(pushed[at])) {
      size = size * 16 + digit
      at += 1
    }
    if (size === 0 || pushed[at] !== CARRIAGE_RETURN || pushed[at + 1] !== LINE_FEED) return undefined
    this.#left = size
    this.#expecting = 'bytes'
    return at + 2
  }

  #takeLine(pushed: Uint8Array, at: number): number {
    const found = pushed.indexOf(LINE_FEED, at)
    const end = found < 0 ? pushed.length : found
    this.#line += Buffer.from(pushed.buffer, pushed.byteOffset + at, end - at).toString('latin1')
    if (this.#line.length > MAX_LINE) throw invalid('malformed chunked body: a line is too long')
    if (found < 0) return end
    if (!this.#line.endsWith('\r')) throw invalid('malformed chunked body: a line ends without carriage return')
    const line = this.#line.slice(0, -1)
    this.#line = ''
    this.#takeWhole(line)
    return end + 1
  }

  #takeWhole(line: string): void {
    if (this.#expecting === 'size') {
      const [, digits] = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line) ?? []
      if (digits === undefined) throw invalid('malformed chunked body: a chunk without its size')
      this.#left = Number.parseInt(digits, 16)
      this.#expecting = this.#left === 0 ? 'trailer' : 'bytes'
    } else if (this.#expecting === 'break') {
      if (line !== '') throw invalid('malformed chunked body: a chunk is longer than its size')
      this.#expecting = 'size'
    } else if (line === '') {
      this.#expecting = 'nothing'
    }
  }
}

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const MOST_DIGITS = 12

/** Of a hexadecimal number; -1 for what is none. */
function digitOf(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
