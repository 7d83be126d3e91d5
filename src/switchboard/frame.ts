/** Messages in a stream: each behind its length in two bytes (RFC 1035, 4.2.2). */

export function frame(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(2 + message.length)
  bytes.writeUInt16BE(message.length, 0)
  bytes.set(message, 2)
  return bytes
}

/** Whole messages out of the chunks of a stream. */
export interface Unframer {
  push(chunk: Buffer): readonly Buffer[]
}

export function createUnframer(): Unframer {
  let rest: Buffer = Buffer.alloc(0)
  return {
    push(chunk) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const messages: Buffer[] = []
      let at = 0
      while (at + 2 <= bytes.length) {
        const end = at + 2 + bytes.readUInt16BE(at)
        if (end > bytes.length) break
        messages.push(bytes.subarray(at + 2, end))
        at = end
      }
      rest = Buffer.from(bytes.subarray(at))
      return messages
    },
  }
}
