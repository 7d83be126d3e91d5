import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { errnoOf, shortId } from '#base'
import { type EntryStat, readBytes } from '#kernel'
import type { Xattr } from '#tree'

/** A file whose bytes changed less than this before they were hashed may change again with the same times (kernel ticks). */
const SETTLED = 2_000_000_000n
const CHUNK = 1 << 18

/** What is in a file. */
export interface FileFacts {
  /** The sha256 of its bytes, in hex. */
  readonly digest: string
  readonly xattrs: readonly Xattr[]
}

interface Remembered extends FileFacts {
  /** Inode, size, mtime, ctime. */
  readonly stamp: string
}

/** As it is kept: path, stamp, digest, and xattrs in hex where there are some. */
type Kept = readonly [string, string, string, (readonly (readonly [string, string])[])?]

/** What stands for the form of the file: one of another form is not read. */
export const DIGESTS_FORM = 3

/**
 * Digests and xattrs of files by path, believed as long as inode, size, mtime and ctime are the same (a changed xattr
 * changes ctime). Kept in one file of the builder's own; a lost or broken one only costs time.
 */
export class FileDigests {
  readonly #path: string | undefined
  readonly #read: () => Map<string, Remembered>
  #changed = false

  /** The file is read when the first digest is asked for. */
  constructor(path: string | undefined) {
    this.#path = path
    let known: Map<string, Remembered> | undefined
    this.#read = () => (known ??= path === undefined ? new Map() : readKnown(path))
  }

  find(path: string, { stamp }: Partial<Stamped>): FileFacts | undefined {
    const known = this.#read().get(path)
    return known !== undefined && known.stamp === stamp ? known : undefined
  }

  /** `after` is the file's state once all was read. Not believed later where it is too young, or changed meanwhile. */
  remember(
    path: string,
    seen: { readonly before: Stamped; readonly after: Stamped; readonly now: bigint },
    facts: FileFacts,
  ): void {
    const stamp = seen.after.stamp
    if (stamp !== seen.before.stamp || !isSettled(seen.after, seen.now))
      this.#changed = this.#read().delete(path) || this.#changed
    else {
      this.#read().set(path, { stamp, ...facts })
      this.#changed = true
    }
  }

  save(): void {
    if (this.#path === undefined || !this.#changed) return
    const temporary = `${this.#path}.${shortId()}`
    try {
      writeFileSync(temporary, JSON.stringify([...this.#read()].map(keptOf)))
      renameSync(temporary, this.#path)
    } finally {
      rmSync(temporary, { force: true })
    }
  }
}

/** What is read into, one file after the other. */
const room: { buffer?: Buffer } = {}

/**
 * Reads so much of an open file, as it had when it was looked at: one that grows meanwhile is taken as it was. Each chunk goes
 * to `take` (which must not keep it, nor read another). Gives the sha256 in hex, and how much was there.
 */
export function hashDescriptor(
  fd: number,
  size: number,
  take: (chunk: Buffer) => void = () => undefined,
): { readonly digest: string; readonly length: number } {
  const hash = createHash('sha256')
  const buffer = (room.buffer ??= Buffer.allocUnsafeSlow(CHUNK))
  for (let at = 0; ;) {
    const read = at === size ? 0 : readBytes(fd, buffer, Math.min(buffer.length, size - at), at)
    if (read === 0) return { digest: hash.digest('hex'), length: at }
    const chunk = buffer.subarray(0, read)
    hash.update(chunk)
    take(chunk)
    at += read
  }
}

/** What tells one state of a file from another. */
export type Stamped = Pick<EntryStat, 'stamp' | 'mtimeNs' | 'ctimeNs'>

/** False for what has changed so shortly before `now` that it may change again and look the same. */
export function isSettled({ mtimeNs, ctimeNs }: Omit<Stamped, 'stamp'>, now: bigint): boolean {
  return now - (mtimeNs > ctimeNs ? mtimeNs : ctimeNs) >= SETTLED
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
