import { stat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDigest, parseDigest, type Digest } from '#oci'
import { damagedBlob } from './damage.ts'
import type { FileHash } from './jobs.ts'
import type { ContentParts } from './parts.ts'
import { getBlob } from './read.ts'

/** What is wrong with a blob's file, as the end of a sentence; undefined for one that is whole. Reads all of it, in a worker. */
export async function checkBlob(
  { folders, records, jobs }: ContentParts,
  digest: Digest,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const blob = records.findBlob(digest)
  if (!blob) return 'it has no record'
  const path = folders.blob(digest)
  const found = await stat(path, { throwIfNoEntry: false })
  if (!found) return 'its file is missing'
  if (!found.isFile()) return 'it is no file'
  if (found.size !== blob.size) return `its file has ${found.size} bytes, not ${blob.size}`
  const hash = await jobs.run<string, FileHash>('content.hash', path, signal ? { signal } : {})
  return hash.digest === digest ? undefined : `its bytes hash to ${hash.digest}`
}

/** Record and file go, so that the bytes can be fetched again. */
export async function discardBlob({ folders, records, locks }: ContentParts, digest: Digest): Promise<void> {
  await locks.run(digest, async () => {
    records.removeBlob(digest)
    await rm(folders.blob(digest), { recursive: true, force: true })
  })
}

/** Removes a file among the blobs that no record knows. */
export async function removeStray({ folders, records, locks }: ContentParts, name: string): Promise<void> {
  const digest = `sha256:${name}`
  const remove = (): Promise<void> => rm(join(folders.blobs, name), { recursive: true, force: true })
  if (!isDigest(digest)) return remove()
  const blob = parseDigest(digest)
  await locks.run(blob, async () => (records.findBlob(blob) ? undefined : remove()))
}

/** Its path, for who reads it without hashing: at least there, and of the right size. */
export async function pathOfBlob(parts: ContentParts, digest: Digest): Promise<string> {
  const { size } = getBlob(parts, digest)
  const path = parts.folders.blob(digest)
  const found = await stat(path, { throwIfNoEntry: false })
  if (found?.size === size) return path
  throw damagedBlob(digest, found ? `its file has ${found.size} bytes, not ${size}` : 'its file is missing')
}
