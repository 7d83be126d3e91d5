import type { ReplyStream } from '#api/exchange'

/** Pieces that are gathered to be written as one. */
export interface Batch {
  /** Resolves once there is room for more. */
  add(bytes: Uint8Array): Promise<void> | void
  /** Writes what is left. */
  flush(): Promise<void>
}

/** Bytes that are written at once: a write costs ten times what a short line costs otherwise. */
const FULL = 64 * 1024

/** Gathers what comes in one turn of the event loop; what comes late is not kept waiting for more. */
export function createBatch(reply: Pick<ReplyStream, 'write'>): Batch {
  let pieces: Uint8Array[] = []
  let size = 0
  let timer: NodeJS.Immediate | undefined
  const flush = async (): Promise<void> => {
    clearImmediate(timer)
    timer = undefined
    if (size === 0) return
    const bytes = Buffer.concat(pieces, size)
    pieces = []
    size = 0
    await reply.write(bytes)
  }
  return {
    flush,
    add(bytes) {
      pieces.push(bytes)
      size += bytes.length
      if (size >= FULL) return flush()
      // A client that is gone is noticed by the next write that is waited for.
      timer ??= setImmediate(() => void flush().catch(() => undefined))
    },
  }
}
