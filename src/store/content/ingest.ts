import { conflict, corrupt, errnoOf, syncFolder, unavailable } from '#base'
import type { Digest } from '#oci'
import { parseDigest } from '#oci'
import type { Lease } from '#store/lease'
import assert from 'node:assert/strict'
import type { Hash } from 'node:crypto'
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileHash } from './jobs.ts'
import type { ContentParts } from './parts.ts'
import { createGrowth, type GrowthWriter } from './growing.ts'
import type { BlobInfo, GrowingFile, Ingest, IngestOptions } from './types.ts'

/** How long bytes of an interrupted ingest wait for their continuation: a day, in nanoseconds. */
export const INGEST_KEPT = 24n * 3600n * 1_000_000_000n

const BLOB_MODE = 0o444

/** So many bytes are gathered before they are written: one call for many small chunks. */
const BATCH = 1 << 20

export async function beginIngest(
  parts: ContentParts,
  key: string,
  lease: Lease,
  { resume = true }: IngestOptions,
): Promise<Ingest> {
  if (parts.open.has(key)) throw conflict(`cannot begin ingest ${key}: it is being written already`)
  parts.open.add(key)
  try {
    lease.hold({ kind: 'ingest', id: key })
    const before = parts.records.findIngest(key)
    const fresh = parts.clock.nanoseconds() - (before?.updatedAt ?? 0n) < INGEST_KEPT
    const file = parts.folders.ingestName(key)
    parts.records.saveIngest({ key, file, resume })
    const path = join(parts.folders.ingests, file)
    const goOn = resume && before?.resume === true && fresh
    const handle = await parts.locks.run(ingestLock(key), () => openFile(path, goOn))
    const { size } = await handle.stat()
    return new FileIngest(parts, { key, path, lease, resume, handle, size })
  } catch (error) {
    parts.open.delete(key)
    throw error
  }
}

/** Held while an ingest's file is opened or removed, so that a sweep never takes a file that has just been begun. */
export function ingestLock(key: string): string {
  return `ingest ${key}`
}

async function openFile(path: string, goOn: boolean): Promise<FileHandle> {
  if (!goOn) return open(path, 'w+', 0o600)
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return open(path, 'w+', 0o600)
    throw error
  }
}

interface IngestFacts {
  readonly key: string
  readonly path: string
  readonly lease: Lease
  readonly resume: boolean
  readonly handle: FileHandle
  readonly size: number
}

class FileIngest implements Ingest {
  readonly path: string
  readonly #parts: ContentParts
  readonly #facts: IngestFacts
  /** Undefined once there are bytes that did not pass through `write`: then the whole file is hashed by a job. */
  #hash: Hash | undefined
  #offset: number
  /** Of these, bytes that are in the file. */
  #written: number
  #gathered: Uint8Array[] = []
  #gatheredSize = 0
  #writing: Promise<void> = Promise.resolve()
  /** Made when somebody follows. */
  #growth: GrowthWriter | undefined
  #state: 'open' | 'committed' | 'rejected' | 'closed' = 'open'

  constructor(parts: ContentParts, facts: IngestFacts) {
    this.#parts = parts
    this.#facts = facts
    this.path = facts.path
    this.#offset = facts.size
    this.#written = facts.size
    this.#hash = facts.size === 0 ? createHash('sha256') : undefined
  }

  get offset(): number {
    return this.#offset
  }

  get written(): number {
    return this.#written
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#assertOpen()
    this.#hash?.update(chunk)
    this.#offset += chunk.length
    this.#gathered.push(chunk)
    this.#gatheredSize += chunk.length
    if (this.#gatheredSize < BATCH) return
    await this.#writing
    this.#writing = this.#writeGathered()
    // who writes next or commits hears of a failure
    this.#writing.catch(() => undefined)
  }

  async reset(): Promise<void> {
    this.#assertOpen()
    await this.#flush()
    await this.#facts.handle.truncate(0)
    this.#offset = 0
    this.#written = 0
    this.#hash = createHash('sha256')
    this.#growth?.lost()
    this.#growth = undefined
  }

  async follow(): Promise<GrowingFile> {
    this.#assertOpen()
    await this.#flush()
    this.#growth ??= createGrowth(this.#written)
    const { growth } = this.#growth
    const handle = await open(this.path, 'r')
    return { fd: handle.fd, growth, [Symbol.asyncDispose]: () => handle.close() }
  }

  async commit(expected?: { readonly digest: Digest; readonly size: number }): Promise<BlobInfo> {
    this.#assertOpen()
    await this.#flush()
    const blob = await this.#measure()
    if (expected) this.#compare(blob, expected)
    this.#growth?.grown(blob.size)
    this.#growth?.whole()
    this.#facts.lease.hold({ kind: 'blob', id: blob.digest })
    await this.#parts.locks.run(blob.digest, () => this.#publish(blob))
    this.#state = 'committed'
    return blob
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return
    const { key, path, resume, handle } = this.#facts
    const kept = this.#state === 'open' && resume && this.#offset > 0
    const committed = this.#state === 'committed'
    this.#state = 'closed'
    this.#growth?.lost()
    try {
      if (kept) await this.#flush().catch(() => undefined)
      await this.#writing.catch(() => undefined)
      await handle.close()
      if (kept) this.#parts.records.saveIngest({ key, file: this.#parts.folders.ingestName(key), resume })
      else if (!committed) {
        await rm(path, { force: true })
        this.#parts.records.removeIngest(key)
      }
    } finally {
      this.#parts.open.delete(key)
    }
  }

  async #flush(): Promise<void> {
    await this.#writing
    this.#writing = this.#writeGathered()
    await this.#writing
  }

  async #writeGathered(): Promise<void> {
    let rest: readonly Uint8Array[] = this.#gathered
    this.#gathered = []
    this.#gatheredSize = 0
    try {
      while (rest.length > 0) {
        const { bytesWritten } = await this.#facts.handle.writev(rest, this.#written)
        this.#written += bytesWritten
        rest = after(rest, bytesWritten)
      }
    } catch (error) {
      throw this.#writeFailure(error)
    }
    this.#growth?.grown(this.#written)
  }

  async #measure(): Promise<BlobInfo> {
    const { size } = await this.#facts.handle.stat()
    if (this.#hash && size === this.#offset) {
      return { digest: parseDigest(`sha256:${this.#hash.copy().digest('hex')}`), size }
    }
    const found = await this.#parts.jobs.run<string, FileHash>('content.hash', this.path)
    return { digest: parseDigest(found.digest), size: found.size }
  }

  #compare(blob: BlobInfo, expected: BlobInfo): void {
    if (blob.digest === expected.digest && blob.size === expected.size) return
    this.#state = 'rejected'
    throw corrupt(
      `cannot keep ${expected.digest}: expected ${expected.size} bytes of that digest, ` +
        `got ${blob.size} bytes of ${blob.digest}`,
    )
  }

  /** Bytes, then the record; a blob that is there already stays as it is. */
  async #publish(blob: BlobInfo): Promise<void> {
    const { folders, records } = this.#parts
    const { handle, key } = this.#facts
    if (this.#parts.holdsFile(blob.digest)) {
      await rm(this.path, { force: true })
    } else {
      await handle.chmod(BLOB_MODE)
      await handle.sync()
      await rename(this.path, folders.blob(blob.digest))
      await syncFolder(folders.blobs)
    }
    records.turnIntoBlob(key, blob)
  }

  #writeFailure(error: unknown): unknown {
    const errno = errnoOf(error)
    if (errno !== 'ENOSPC' && errno !== 'EDQUOT') return error
    return unavailable(`cannot write ${this.#facts.key}: no space left on the disk of ${this.path}`, { cause: error })
  }

  #assertOpen(): void {
    assert(this.#state === 'open', `ingest ${this.#facts.key} is ${this.#state}`)
  }
}

/** What is left of chunks of which so many bytes are done. */
function after(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes
  for (const [index, chunk] of chunks.entries()) {
    if (skip < chunk.length) return [chunk.subarray(skip), ...chunks.slice(index + 1)]
    skip -= chunk.length
  }
  return []
}
