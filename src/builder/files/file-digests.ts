import { createHash } from 'node:crypto'
import { readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { errnoOf, shortId } from '#base'
import type { Xattr } from '#tree'

/** A file whose bytes changed less than this before they were hashed may change again with the same times (kernel ticks). */
const SETTLED = 2_000_000_000n
const CHUNK = 1 << 20

/** What is in a file. */
export interface FileFacts {
  /** The sha256 of its bytes, in hex. */
  readonly digest: string
  readonly xattrs: readonly Xattr[]
}

interface Remembered extends FileFacts {
  /** inode, size, mtime, ctime. */
  readonly stamp: string
}

/** As it is kept: path, stamp, digest, and xattrs in hex where there are some. */
type Kept = readonly [string, string, string, (readonly (readonly [string, string])[])?]

/** What stands for the form of the file: one of another form is not read. */
export const DIGESTS_FORM = 2

/**
 * Digests and xattrs of files by path, believed as long as inode, size, mtime and ctime are the same (a changed xattr
 * changes ctime). Kept in one file of the builder's own; a lost or broken one only costs time.
 */
export class FileDigests {
  readonly #path: string | undefined
  readonly #known: Map<string, Remembered>
  #changed = false

  constructor(path: string | undefined) {
    this.#path = path
    this.#known = path === undefined ? new Map() : readKnown(path)
  }

  find(path: string, stat: Stamped): FileFacts | undefined {
    const known = this.#known.get(path)
    return known?.stamp === stampOf(stat) ? known : undefined
  }

  /** `after` is the file's state once all was read. Not believed later where it is too young, or changed meanwhile. */
  remember(
    path: string,
    seen: { readonly before: BigIntStats; readonly after: BigIntStats; readonly now: bigint },
    facts: FileFacts,
  ): void {
    const stamp = stampOf(seen.after)
    const newest = seen.after.mtimeNs > seen.after.ctimeNs ? seen.after.mtimeNs : seen.after.ctimeNs
    if (stamp !== stampOf(seen.before) || seen.now - newest < SETTLED)
      this.#changed = this.#known.delete(path) || this.#changed
    else {
      this.#known.set(path, { stamp, ...facts })
      this.#changed = true
    }
  }

  save(): void {
    if (this.#path === undefined || !this.#changed) return
    const temporary = `${this.#path}.${shortId()}`
    try {
      writeFileSync(temporary, JSON.stringify([...this.#known].map(keptOf)))
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

/** What tells one state of a file from another. */
export type Stamped = Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

function stampOf(stat: Stamped): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
}

function keptOf([path, { stamp, digest, xattrs }]: readonly [string, Remembered]): Kept {
  if (xattrs.length === 0) return [path, stamp, digest]
  return [path, stamp, digest, xattrs.map(({ name, value }) => [name, value.toString('hex')] as const)]
}

const NO_XATTRS: readonly Xattr[] = []

function readKnown(path: string): Map<string, Remembered> {
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as readonly Kept[]
    return new Map(
      kept.map(([name, stamp, digest, xattrs]) => [
        name,
        {
          stamp,
          digest,
          xattrs: xattrs?.map(([key, hex]) => ({ name: key, value: Buffer.from(hex, 'hex') })) ?? NO_XATTRS,
        },
      ]),
    )
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT') return new Map()
    throw error
  }
}
