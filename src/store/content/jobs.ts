import { cancelled } from '#base'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'

/** A file's sha256 as a digest's text, and its size in bytes. */
export interface FileHash {
  readonly digest: string
  readonly size: number
}

const CHUNK = 1 << 20

/** Synchronous work of this room, run in a worker. */
export const contentJobs = {
  'content.hash': (path: string, context: { cancelled(): boolean }): FileHash => hashFile(path, context),
}

function hashFile(path: string, context: { cancelled(): boolean }): FileHash {
  const file = openSync(path, 'r')
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(CHUNK)
    let size = 0
    for (;;) {
      if (context.cancelled()) throw cancelled(`hash of ${path}`)
      const count = readSync(file, buffer)
      if (count === 0) return { digest: `sha256:${hash.digest('hex')}`, size }
      hash.update(buffer.subarray(0, count))
      size += count
    }
  } finally {
    closeSync(file)
  }
}
