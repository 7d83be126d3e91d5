import type { Digest } from '#oci'
import type { Resource } from '#store/lease'
import { resourceKey } from '#store/lease'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { INGEST_KEPT, ingestLock } from './ingest.ts'
import type { ContentParts } from './parts.ts'
import type { IngestRecord } from './records.ts'
import type { ContentCollector } from './types.ts'

export function createCollector(parts: ContentParts): ContentCollector {
  const { records, open, clock } = parts
  const waits = (ingest: IngestRecord): boolean =>
    open.has(ingest.key) || (ingest.resume && clock.nanoseconds() - ingest.updatedAt < INGEST_KEPT)
  return {
    roots: () => records.listIngests().filter(waits).map(ingestResource),
    edges: () => [],
    sweep(live) {
      const blobs = records.listBlobs().filter((blob) => !live.has(resourceKey(blobResource(blob.digest))))
      const ingests = records.listIngests().filter((ingest) => !live.has(resourceKey(ingestResource(ingest))))
      for (const blob of blobs) records.removeBlob(blob.digest)
      for (const ingest of ingests) records.removeIngest(ingest.key)
      return {
        resources: [...blobs.map((blob) => blobResource(blob.digest)), ...ingests.map(ingestResource)],
        async removeBytes() {
          let bytes = 0
          for (const blob of blobs) bytes += await removeBlobFile(parts, blob.digest)
          for (const ingest of ingests) bytes += await removeIngestFile(parts, ingest)
          return bytes
        },
      }
    },
  }
}

/** Records and files of all ingests that nobody is writing; bytes that went. */
export async function discardInterrupted(parts: ContentParts): Promise<number> {
  const waiting = parts.records.listIngests().filter((ingest) => !parts.open.has(ingest.key))
  let bytes = 0
  for (const ingest of waiting) {
    if (parts.open.has(ingest.key)) continue
    parts.records.removeIngest(ingest.key)
    bytes += await removeIngestFile(parts, ingest)
  }
  return bytes
}

/** The same bytes may have been stored anew since the record went: then the file is the new record's. */
async function removeBlobFile(parts: ContentParts, digest: Digest): Promise<number> {
  return parts.locks.run(digest, async () =>
    parts.records.findBlob(digest) ? 0 : removeFile(parts.folders.blob(digest)),
  )
}

async function removeIngestFile(parts: ContentParts, ingest: IngestRecord): Promise<number> {
  return parts.locks.run(ingestLock(ingest.key), async () =>
    parts.open.has(ingest.key) ? 0 : removeFile(join(parts.folders.ingests, ingest.file)),
  )
}

const BLOCK = 512

/** Bytes of blocks that came back. */
async function removeFile(path: string): Promise<number> {
  const found = await stat(path, { throwIfNoEntry: false })
  await rm(path, { force: true })
  return (found?.blocks ?? 0) * BLOCK
}

function blobResource(digest: Digest): Resource {
  return { kind: 'blob', id: digest }
}

function ingestResource(ingest: IngestRecord): Resource {
  return { kind: 'ingest', id: ingest.key }
}
