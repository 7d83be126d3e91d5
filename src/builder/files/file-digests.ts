import { createHash } from 'node:crypto'
import { readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { errnoOf, shortId } from '#base'

/** A file whose bytes changed less than this before they were hashed may change again with the same times (kernel ticks). */
const SETTLED = 2_000_000_000n
const CHUNK = 1 << 20

interface Remembered {
  /** inode, size, mtime, ctime. */
  readonly stamp: string
  readonly digest: string
}

/**
 * Digests of files by path, believed as long as inode, size, mtime and ctime are the same. Kept in one file of the
 * builder's own; a lost or broken one only costs time.
 */
export class FileDigests {
  readonly #path: string | undefined
  readonly #known: Map<string, Remembered>
  #changed = false

  constructor(path: string | undefined) {
    this.#path = path
    this.#known = path === undefined ? new Map() : readKnown(path)
  }

  find(path: string, stat: BigIntStats): string | undefined {
    const known = this.#known.get(path)
    return known?.stamp === stampOf(stat) ? known.digest : undefined
  }

  /** `after` is the file's state once its bytes were read. Not believed later where it is too young, or changed meanwhile. */
  remember(
    path: string,
    seen: { readonly before: BigIntStats; readonly after: BigIntStats; readonly now: bigint },
    digest: string,
  ): void {
    const stamp = stampOf(seen.after)
    const newest = seen.after.mtimeNs > seen.after.ctimeNs ? seen.after.mtimeNs : seen.after.ctimeNs
    if (stamp !== stampOf(seen.before) || seen.now - newest < SETTLED)
      this.#changed = this.#known.delete(path) || this.#changed
    else {
      this.#known.set(path, { stamp, digest })
      this.#changed = true
    }
  }

  save(): void {
    if (this.#path === undefined || !this.#changed) return
    const temporary = `${this.#path}.${shortId()}`
    try {
      writeFileSync(temporary, JSON.stringify([...this.#known]))
      renameSync(temporary, this.#path)
    } finally {
      rmSync(temporary, { force: true })
    }
  }
}

/** Reads an open file of about `size` bytes to its end; each chunk goes to `take` (which must not keep it). Gives the sha256 in hex. */
export function hashDescriptor(fd: number, size: number, take: (chunk: Buffer) => void = () => undefined): string {
  const hash = createHash('sha256')
  // one byte more, so that a file that did not grow is at its end with the second read
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size + 1))
  for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
    const chunk = buffer.subarray(0, read)
    hash.update(chunk)
    take(chunk)
  }
  return hash.digest('hex')
}

function stampOf(stat: BigIntStats): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
}

function readKnown(path: string): Map<string, Remembered> {
  try {
    return new Map(JSON.parse(readFileSync(path, 'utf8')) as [string, Remembered][])
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT') return new Map()
    throw error
  }
}
