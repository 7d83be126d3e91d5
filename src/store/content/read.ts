import type { Bytes } from '#base'
import { errnoOf, notFound } from '#base'
import type { Digest } from '#oci'
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { damagedBlob } from './damage.ts'
import type { FileHash } from './jobs.ts'
import type { ContentParts } from './parts.ts'
import type { BlobInfo, ByteRange } from './types.ts'

/** Large enough to be fast, small enough that hashing one chunk never shows on the main thread. */
const CHUNK = 256 * 1024
/** A blob larger than this is hashed by a worker while it is read here: two cores, and a main thread that only hands on. */
const HASHED_ASIDE = 4 << 20
/** Of what is not hashed here larger chunks are better: each costs a turn. */
const LARGE_CHUNK = 1 << 20

/** The record of a blob. Throws `not-found`. */
export function getBlob(parts: ContentParts, digest: Digest): BlobInfo {
  const blob = parts.records.findBlob(digest)
  if (!blob) throw notFound('blob', digest)
  return blob
}

export async function* readBlob(parts: ContentParts, digest: Digest, range: ByteRange | undefined): Bytes {
  const blob = getBlob(parts, digest)
  const start = range?.start ?? 0
  const end = Math.min(range?.end ?? blob.size, blob.size)
  await using handle = await openBlob(parts, digest)
  const isWhole = start === 0 && end === blob.size
  if (!isWhole) yield* chunks(handle, { start, end })
  else if (blob.size > HASHED_ASIDE) yield* verifiedAside(parts, handle, blob)
  else yield* verified(handle, blob)
}

async function openBlob(parts: ContentParts, digest: Digest): Promise<FileHandle> {
  try {
    return await open(parts.folders.blob(digest), 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw damagedBlob(digest, 'its file is missing', error)
    throw error
  }
}

async function* verified(handle: FileHandle, blob: BlobInfo): Bytes {
  const hash = createHash('sha256')
  // One byte more than recorded: a file that grew must not pass.
  for await (const chunk of chunks(handle, { start: 0, end: blob.size + 1 })) {
    hash.update(chunk)
    yield chunk
  }
  assertDigest(blob, `sha256:${hash.digest('hex')}`)
}

/** The last chunk waits for the worker's word: a reader of the whole never ends with wrong bytes. */
async function* verifiedAside({ jobs, folders }: ContentParts, handle: FileHandle, blob: BlobInfo): Bytes {
  const left = new AbortController()
  // a bulk job may be what reads here: behind such ones this must not wait
  const options = { signal: left.signal, lane: 'short' } as const
  const hashed = jobs.run<string, FileHash>('content.hash', folders.blob(blob.digest), options)
  // looked at below; a reader that leaves early does not want to know
  hashed.catch(() => undefined)
  try {
    let held: Uint8Array | undefined
    for await (const chunk of chunks(handle, { start: 0, end: blob.size + 1, size: LARGE_CHUNK })) {
      if (held) yield held
      held = chunk
    }
    assertDigest(blob, (await hashed).digest)
    if (held) yield held
  } finally {
    left.abort()
  }
}

function assertDigest(blob: BlobInfo, found: string): void {
  if (found !== blob.digest) throw damagedBlob(blob.digest, `its bytes hash to ${found}`)
}

interface Stretch {
  readonly start: number
  readonly end: number
  readonly size?: number
}

async function* chunks(handle: FileHandle, { start, end, size = CHUNK }: Stretch): Bytes {
  for (let at = start; at < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(size, end - at))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}
