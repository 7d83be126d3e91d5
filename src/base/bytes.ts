/** The form in which bytes pass between rooms. */
export type Bytes = AsyncIterable<Uint8Array>

/** All bytes in one buffer; `limit` (bytes) guards against endless input. */
export async function collect(bytes: Bytes, limit = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of bytes) {
    size += chunk.length
    if (size > limit) throw new RangeError(`more than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

export async function* bytesOf(...chunks: readonly (Uint8Array | string)[]): Bytes {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

export interface ByteQueue extends AsyncIterable<Uint8Array> {
  /** Resolves once the reader has room again (`highWater` bytes). */
  push(chunk: Uint8Array): Promise<void>
  /** What is pushed now waits for the reader. */
  readonly isFull: boolean
  /** The reader gets what was pushed before, and then the error. */
  end(error?: unknown): void
}

/** A pushable byte stream with back-pressure; one reader. A reader that leaves early frees the writer. */
export function createByteQueue(highWater = 1 << 20): ByteQueue {
  const chunks: Uint8Array[] = []
  let size = 0
  let ended = false
  let failure: unknown
  let wakeReader: (() => void) | undefined
  let wakeWriters: Array<() => void> = []
  const freeWriters = (): void => {
    const woken = wakeWriters
    wakeWriters = []
    for (const wake of woken) wake()
  }
  return {
    async push(chunk) {
      if (ended || chunk.length === 0) return
      chunks.push(chunk)
      size += chunk.length
      wakeReader?.()
      if (size >= highWater) await new Promise<void>((resolve) => wakeWriters.push(resolve))
    },
    get isFull() {
      return !ended && size >= highWater
    },
    end(error) {
      if (ended) return
      ended = true
      failure = error
      wakeReader?.()
      freeWriters()
    },
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          const chunk = chunks.shift()
          if (chunk) {
            size -= chunk.length
            if (size < highWater) freeWriters()
            yield chunk
          } else if (ended) {
            if (failure !== undefined) throw failure
            return
          } else {
            await new Promise<void>((resolve) => (wakeReader = resolve))
            wakeReader = undefined
          }
        }
      } finally {
        ended = true
        freeWriters()
      }
    },
  }
}
