import { type Bytes, corrupt } from '#base'

/** Which of a process's streams a frame carries (Docker Engine API, «Stream format»). */
export type StreamName = 'stdin' | 'stdout' | 'stderr' | 'system'

export interface StreamChunk {
  readonly stream: StreamName
  readonly bytes: Uint8Array
}

const NAMES: readonly StreamName[] = ['stdin', 'stdout', 'stderr', 'system']
const HEADER = 8

/** Content types of a hijacked or log stream: with a terminal, and with frames (API 1.42 and newer say which). */
export const RAW_STREAM = 'application/vnd.docker.raw-stream'
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream'

/** One frame: its head and the bytes. */
export function encodeFrame(stream: StreamName, bytes: Uint8Array): Buffer {
  return Buffer.concat([encodeFrameHead(stream, bytes.length), bytes])
}

/** What stands before `length` bytes: stream, three zeros, the length as 32 bits big endian. */
export function encodeFrameHead(stream: StreamName, length: number): Buffer {
  const head = Buffer.allocUnsafe(HEADER)
  head.writeUInt32BE(NAMES.indexOf(stream) * 0x1000000, 0)
  head.writeUInt32BE(length, 4)
  return head
}

/**
 * The chunks of a multiplexed stream, handed on as they come: a frame may arrive in several chunks.
 * Throws `corrupt` where a header names no stream, or the bytes end inside a frame.
 */
export async function* decodeFrames(bytes: Bytes): AsyncIterable<StreamChunk> {
  let head = Buffer.alloc(0)
  let stream: StreamName = 'stdout'
  let left = 0
  for await (const piece of bytes) {
    let rest = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    while (rest.length > 0) {
      if (left > 0) {
        const chunk = rest.subarray(0, left)
        left -= chunk.length
        rest = rest.subarray(chunk.length)
        yield { stream, bytes: chunk }
        continue
      }
      const missing = HEADER - head.length
      head = Buffer.concat([head, rest.subarray(0, missing)])
      rest = rest.subarray(missing)
      if (head.length < HEADER) break
      stream = streamOf(head)
      left = head.readUInt32BE(4)
      head = Buffer.alloc(0)
    }
  }
  if (left > 0 || head.length > 0) throw corrupt('cannot read multiplexed stream: it ends inside a frame')
}

function streamOf(head: Buffer): StreamName {
  const name = NAMES[head.readUInt8(0)]
  if (name === undefined || head.readUIntBE(1, 3) !== 0) {
    throw corrupt(`cannot read multiplexed stream: bad frame header ${head.toString('hex')}`)
  }
  return name
}
