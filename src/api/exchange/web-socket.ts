import { createHash } from 'node:crypto'
import type { Bytes } from '#base'
import type { RawStream } from './hijack.ts'

/** RFC 6455, section 1.3: what a server adds to the client's key. */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const NORMAL = 1000
const PROTOCOL_ERROR = 1002
/** The longest payload of a ping, pong or close. */
const MAX_CONTROL = 125
/** A payload's length with its size in the next 2 bytes; in the next 8. */
const SIZE_16 = 126
const SIZE_64 = 127

/** The answer to a request's key; undefined where the request does not ask for a WebSocket (RFC 6455, section 4.2.1). */
export function acceptWebSocket(header: (name: string) => string | undefined): string | undefined {
  const key = header('sec-websocket-key')
  if (header('upgrade')?.toLowerCase() !== 'websocket' || key === undefined) return undefined
  if (header('sec-websocket-version') !== '13') return undefined
  return createHash('sha1').update(`${key}${MAGIC}`).digest('base64')
}

/**
 * The server's end of a WebSocket as a stream of bytes: what the frames of the client hold, up to its close or its first
 * mistake, and one frame for each write. Where messages end means nothing. Pings are answered.
 */
export function createWebSocket(raw: RawStream, kind: 'text' | 'binary'): RawStream {
  let closing = false
  const send = (opcode: number, payload: Uint8Array, release?: () => void): Promise<void> =>
    raw.write(payload, { head: encodeHead(opcode, payload.length), release })
  const close = (code: number): void => {
    if (closing) return
    closing = true
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    void send(OPCODE.close, payload).catch(() => undefined)
    raw.end()
  }
  return {
    closed: raw.closed,
    input: readMessages(raw.input, send, close),
    async write(bytes, { head, release } = {}) {
      if (closing || bytes.length === 0) return release?.()
      await (head ? send(OPCODE[kind], Buffer.concat([head, bytes])).then(release) : send(OPCODE[kind], bytes, release))
    },
    end: () => close(NORMAL),
  }
}

function encodeHead(opcode: number, length: number): Buffer {
  const size = length <= MAX_CONTROL ? 0 : length <= 0xffff ? 2 : 8
  const head = Buffer.alloc(2 + size)
  head[0] = 0x80 | opcode
  head[1] = size === 0 ? length : size === 2 ? SIZE_16 : SIZE_64
  if (size === 2) head.writeUInt16BE(length, 2)
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2)
  return head
}

async function* readMessages(
  bytes: Bytes,
  send: (opcode: number, payload: Uint8Array) => Promise<void>,
  close: (code: number) => void,
): Bytes {
  const source = new Source(bytes)
  for (;;) {
    const head = await readHead(source)
    if (head === undefined) return
    if (head === 'wrong') return close(PROTOCOL_ERROR)
    if (head.opcode <= OPCODE.binary) yield* unmasked(source, head)
    else {
      const payload: Uint8Array[] = []
      for await (const part of unmasked(source, head)) payload.push(part)
      if (head.opcode === OPCODE.close) return close(NORMAL)
      if (head.opcode === OPCODE.ping) await send(OPCODE.pong, Buffer.concat(payload))
    }
  }
}

interface FrameHead {
  readonly opcode: number
  readonly length: number
  readonly mask: Uint8Array
}

/** A client has to mask, none of the reserved bits means anything here, and what is for the protocol itself is short and whole. */
function isWrong(first: number, second: number): boolean {
  const opcode = first & 0x0f
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return true
  if (opcode < OPCODE.close) return opcode > OPCODE.binary
  return opcode > OPCODE.pong || (second & 0x7f) > MAX_CONTROL || (first & 0x80) === 0
}

/** Undefined at the end of the input. */
async function readHead(source: Source): Promise<FrameHead | 'wrong' | undefined> {
  const [first, second] = (await source.exactly(2)) ?? []
  if (first === undefined || second === undefined) return undefined
  if (isWrong(first, second)) return 'wrong'
  const [opcode, short] = [first & 0x0f, second & 0x7f]
  const length = await readLength(source, short)
  const mask = await source.exactly(4)
  if (length === undefined || mask === undefined) return undefined
  return Number.isSafeInteger(length) ? { opcode, length, mask } : 'wrong'
}

async function readLength(source: Source, short: number): Promise<number | undefined> {
  if (short === SIZE_16) return (await source.exactly(2))?.readUInt16BE()
  if (short !== SIZE_64) return short
  const size = await source.exactly(8)
  return size && Number(size.readBigUInt64BE())
}

/** The payload of a frame as it comes; a large one is not waited for. */
async function* unmasked(source: Source, { length, mask }: FrameHead): Bytes {
  for (let at = 0; at < length;) {
    const part = await source.some(length - at)
    if (part === undefined) return
    const from = at
    yield part.map((byte, index) => byte ^ (mask[(from + index) % 4] ?? 0))
    at += part.length
  }
}

/** Bytes that come in chunks, taken in the sizes that are wanted. */
class Source {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(bytes: Bytes) {
    this.#chunks = bytes[Symbol.asyncIterator]()
  }

  /** At least one and at most so many; undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done === true) return undefined
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    const taken = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(taken.length)
    return taken
  }

  /** Undefined where the input ends before. */
  async exactly(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = []
    for (let left = length; left > 0;) {
      const part = await this.some(left)
      if (part === undefined) return undefined
      parts.push(part)
      left -= part.length
    }
    return Buffer.concat(parts)
  }
}
