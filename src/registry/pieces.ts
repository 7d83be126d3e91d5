import type { Bytes } from '#base'

/** Pieces of a stream, in any order; backwards it is opened anew. */
export interface PieceReader extends AsyncDisposable {
  /** Fewer bytes than `length` only where the stream ends. */
  read(from: number, length: number): Promise<Uint8Array>
}

export function createPieceReader(open: () => Bytes): PieceReader {
  let stream: AsyncIterator<Uint8Array> | undefined
  let held: Uint8Array = new Uint8Array()
  let at = 0
  const close = async (): Promise<void> => {
    await stream?.return?.()
    stream = undefined
    held = new Uint8Array()
    at = 0
  }
  /** Some of the next bytes, at most so many; undefined at the end. */
  const take = async (most: number): Promise<Uint8Array | undefined> => {
    stream ??= open()[Symbol.asyncIterator]()
    while (held.length === 0) {
      const next = await stream.next()
      if (next.done) return undefined
      held = next.value
    }
    const taken = held.subarray(0, most)
    held = held.subarray(taken.length)
    at += taken.length
    return taken
  }
  return {
    async read(from, length) {
      if (from < at) await close()
      while (at < from) if (!(await take(from - at))) return new Uint8Array()
      const parts: Uint8Array[] = []
      for (let left = length; left > 0;) {
        const part = await take(left)
        if (!part) break
        parts.push(part)
        left -= part.length
      }
      return Buffer.concat(parts)
    },
    [Symbol.asyncDispose]: close,
  }
}
