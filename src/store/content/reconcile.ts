import type { Log } from '#base'
import type { Digest } from '#oci'
import { hexOf, isDigest, parseDigest } from '#oci'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileHash } from './jobs.ts'
import type { ContentFolders } from './folders.ts'
import type { ContentRecords } from './records.ts'
import type { ContentJobRunner } from './types.ts'

/**
 * Compares files and records after a start. A crash leaves files without a record (removed); a record without its
 * whole file is damage from outside: it goes too, with a warning, so that the next pull can heal it.
 */
export async function reconcile(folders: ContentFolders, records: ContentRecords, log: Log): Promise<void> {
  await reconcileIngests(folders, records)
  const unnamed = new Set(await readdir(folders.blobs))
  for (const blob of records.listBlobs()) {
    const path = folders.blob(blob.digest)
    const found = await stat(path, { throwIfNoEntry: false })
    if (found?.size === blob.size) unnamed.delete(hexOf(blob.digest))
    else dropDamaged(records, log, blob.digest, found === undefined ? 'its file is missing' : 'its size has changed')
  }
  for (const name of unnamed) await rm(join(folders.blobs, name), { recursive: true, force: true })
}

async function reconcileIngests(folders: ContentFolders, records: ContentRecords): Promise<void> {
  const present = new Set(await readdir(folders.ingests))
  for (const ingest of records.listIngests()) {
    if (ingest.resume && present.delete(ingest.file)) continue
    records.removeIngest(ingest.key)
  }
  for (const name of present) await rm(join(folders.ingests, name), { recursive: true, force: true })
}

function dropDamaged(records: ContentRecords, log: Log, digest: Digest, why: string): void {
  log.warn(`blob ${digest} is lost: ${why}`)
  records.removeBlob(digest)
}

/** Files among the blobs without a record: those that are named by what they hash to become blobs again. */
export async function takeUpStrays(parts: {
  readonly folders: ContentFolders
  readonly records: ContentRecords
  readonly jobs: ContentJobRunner
  readonly log: Log
}): Promise<void> {
  const { folders, records, jobs, log } = parts
  for (const name of await readdir(folders.blobs)) {
    if (!isDigest(`sha256:${name}`) || records.findBlob(parseDigest(`sha256:${name}`))) continue
    const found = await jobs.run<string, FileHash>('content.hash', join(folders.blobs, name))
    if (found.digest !== `sha256:${name}`) continue
    records.addBlob({ digest: parseDigest(found.digest), size: found.size })
    log.info(`blob ${found.digest} had no record and is taken up again`)
  }
}
