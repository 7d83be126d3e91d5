import type { Bytes } from '#base'
import { corrupt, errnoOf, notFound } from '#base'
import type { Digest } from '#oci'
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import type { ContentParts } from './parts.ts'
import type { BlobInfo, ByteRange } from './types.ts'

/** Large enough to be fast, small enough that hashing one chunk never shows on the main thread. */
const CHUNK = 256 * 1024

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
  if (start === 0 && end === blob.size) yield* verified(handle, blob)
  else yield* chunks(handle, start, end)
}

async function openBlob(parts: ContentParts, digest: Digest): Promise<FileHandle> {
  try {
    return await open(parts.folders.blob(digest), 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw corrupt(`cannot read blob ${digest}: its file is missing`, { cause: error })
    throw error
  }
}

async function* verified(handle: FileHandle, blob: BlobInfo): Bytes {
  const hash = createHash('sha256')
  // One byte more than recorded: a file that grew must not pass.
  for await (const chunk of chunks(handle, 0, blob.size + 1)) {
    hash.update(chunk)
    yield chunk
  }
  const found = `sha256:${hash.digest('hex')}`
  if (found !== blob.digest) throw corrupt(`cannot read blob ${blob.digest}: its bytes hash to ${found}`)
}

async function* chunks(handle: FileHandle, start: number, end: number): Bytes {
  for (let at = start; at < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, end - at))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}
