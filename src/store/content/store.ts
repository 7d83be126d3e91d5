import { createKeyedLock, syncFolder } from '#base'
import { digestOf, hexOf } from '#oci'
import type { Lease } from '#store/lease'
import { statSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { checkBlob, discardBlob, pathOfBlob, removeStray } from './check.ts'
import { createCollector, discardInterrupted } from './collector.ts'
import { openFolders } from './folders.ts'
import { beginIngest } from './ingest.ts'
import type { ContentParts } from './parts.ts'
import { readBlob } from './read.ts'
import { reconcile, takeUpStrays } from './reconcile.ts'
import { contentRecords } from './records.ts'
import type { BlobInfo, ContentOptions, OpenContentStore } from './types.ts'

/** Opens the store and puts right what a crash left: files that nothing names go, records without a file too. */
export async function openContentStore(options: ContentOptions): Promise<OpenContentStore> {
  const folders = await openFolders(options.folder)
  const records = contentRecords(options.database, options.clock)
  if (options.takeUpStrays === true) await takeUpStrays({ folders, records, jobs: options.jobs, log: options.log })
  await reconcile(folders, records, options.log)
  const parts: ContentParts = {
    folders,
    records,
    jobs: options.jobs,
    clock: options.clock,
    locks: createKeyedLock(),
    open: new Set(),
    // a look at a name takes less than to hand it to a thread
    holdsFile: (digest) =>
      records.findBlob(digest) !== undefined && statSync(folders.blob(digest), { throwIfNoEntry: false }) !== undefined,
  }
  return {
    find: async (digest) => records.findBlob(digest),
    read: (digest, range) => readBlob(parts, digest, range),
    path: (digest) => pathOfBlob(parts, digest),
    check: (digest, signal) => checkBlob(parts, digest, signal),
    removeStray: (name) => removeStray(parts, name),
    discard: (digest) => discardBlob(parts, digest),
    list: async () => records.listBlobs(),
    begin: (key, lease, how = {}) => beginIngest(parts, key, lease, how),
    put: (bytes, lease) => putBlob(parts, bytes, lease),
    collector: createCollector(parts),
    ingests: () => records.listIngests().map(({ key, file }) => ({ key, file, isOpen: parts.open.has(key) })),
    discardInterrupted: () => discardInterrupted(parts),
  }
}

async function putBlob(parts: ContentParts, bytes: Uint8Array, lease: Lease): Promise<BlobInfo> {
  const blob: BlobInfo = { digest: digestOf(bytes), size: bytes.length }
  lease.hold({ kind: 'blob', id: blob.digest })
  await parts.locks.run(blob.digest, async () => {
    if (parts.holdsFile(blob.digest)) return
    const temporary = join(parts.folders.ingests, `put-${hexOf(blob.digest)}`)
    await using handle = await open(temporary, 'w', 0o600)
    await handle.writeFile(bytes)
    await handle.chmod(0o444)
    await handle.sync()
    await rename(temporary, parts.folders.blob(blob.digest))
    await syncFolder(parts.folders.blobs)
    parts.records.addBlob(blob)
  })
  return blob
}
