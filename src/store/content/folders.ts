import type { Digest } from '#oci'
import { digestOf, hexOf } from '#oci'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Where this room's files are. */
export interface ContentFolders {
  readonly blobs: string
  readonly ingests: string
  blob(digest: Digest): string
  /** Keys are any text; files are named by their hash. */
  ingestName(key: string): string
}

export async function openFolders(folder: string): Promise<ContentFolders> {
  const blobs = join(folder, 'blobs', 'sha256')
  const ingests = join(folder, 'ingest')
  for (const made of [blobs, ingests]) await mkdir(made, { recursive: true, mode: 0o700 })
  return {
    blobs,
    ingests,
    blob: (digest) => join(blobs, hexOf(digest)),
    ingestName: (key) => hexOf(digestOf(key)).slice(0, 32),
  }
}
