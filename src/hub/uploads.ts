import { createKeyedLock, isKind, longId, type Bytes, type Log } from '#base'
import type { Digest } from '#oci'
import type { BlobInfo, ContentStore, Ingest } from '#store/content'
import type { Lease, Leases } from '#store/lease'
import { HubFault } from './fault.ts'
import type { SpaceRecords } from './records.ts'

/** A client that says nothing for so long goes on from the file. Milliseconds. */
const IDLE = 60_000

export interface UploadState {
  readonly id: string
  /** Bytes that are there. */
  readonly offset: number
}

/** Blobs on their way in: sessions that live for a day, over restarts too. Nothing is visible before its digest was verified. */
export interface Uploads extends AsyncDisposable {
  begin(repository: string): Promise<UploadState>
  /** Throws `HubFault` BLOB_UPLOAD_UNKNOWN, as all that follow. */
  state(repository: string, id: string): Promise<UploadState>
  /** Adds the bytes; `check` is told where they would begin, and may throw. What came before a cut stays. */
  write(repository: string, id: string, chunk: Chunk): Promise<UploadState>
  /** The whole becomes a blob of the repository; DIGEST_INVALID where it is another: then nothing is kept. */
  finish(repository: string, id: string, chunk: Chunk & { readonly digest: Digest }): Promise<BlobInfo>
  cancel(repository: string, id: string): Promise<void>
}

export interface Chunk {
  readonly bytes: Bytes
  readonly check: (state: UploadState) => void
}

export interface UploadParts {
  readonly content: Pick<ContentStore, 'begin'>
  readonly leases: Leases
  readonly records: SpaceRecords
  readonly log: Log
}

/** An upload whose file is open. */
interface OpenUpload {
  readonly ingest: Ingest
  readonly lease: Lease
  timer: NodeJS.Timeout | undefined
}

export function createUploads(parts: UploadParts): Uploads {
  return new UploadDesk(parts)
}

class UploadDesk implements Uploads {
  readonly #parts: UploadParts
  readonly #open = new Map<string, OpenUpload>()
  readonly #lock = createKeyedLock()

  constructor(parts: UploadParts) {
    this.#parts = parts
  }

  async begin(repository: string): Promise<UploadState> {
    const id = longId()
    this.#parts.records.saveUpload(id, repository)
    return { id, offset: 0 }
  }

  state(repository: string, id: string): Promise<UploadState> {
    return this.#with(repository, id, async ({ ingest }) => ({ id, offset: ingest.offset }))
  }

  write(repository: string, id: string, chunk: Chunk): Promise<UploadState> {
    return this.#with(repository, id, async ({ ingest }) => {
      await append(ingest, id, chunk)
      return { id, offset: ingest.offset }
    })
  }

  finish(repository: string, id: string, chunk: Chunk & { readonly digest: Digest }): Promise<BlobInfo> {
    return this.#with(repository, id, async (upload) => {
      const { ingest } = upload
      await append(ingest, id, chunk)
      try {
        const blob = await ingest.commit({ digest: chunk.digest, size: ingest.offset })
        this.#parts.records.addBlob(repository, blob.digest)
        return blob
      } catch (error) {
        if (!isKind(error, 'corrupt')) throw error
        throw new HubFault('DIGEST_INVALID', 'provided digest did not match uploaded content', {
          detail: { digest: chunk.digest },
          cause: error,
        })
      } finally {
        this.#parts.records.removeUpload(id)
        await this.#close(id)
      }
    })
  }

  cancel(repository: string, id: string): Promise<void> {
    return this.#with(repository, id, async ({ ingest }) => {
      await ingest.reset()
      this.#parts.records.removeUpload(id)
      await this.#close(id)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#open.keys()) await this.#lock.run(id, () => this.#close(id))
  }

  /** One request of an upload at a time. */
  #with<T>(repository: string, id: string, work: (upload: OpenUpload) => Promise<T>): Promise<T> {
    return this.#lock.run(id, async () => {
      if (!this.#parts.records.hasUpload(id, repository))
        throw new HubFault('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
      this.#parts.records.saveUpload(id, repository)
      const upload = this.#open.get(id) ?? (await this.#reopen(id))
      clearTimeout(upload.timer)
      try {
        return await work(upload)
      } finally {
        if (this.#open.has(id)) upload.timer = setTimeout(() => this.#rest(id), IDLE).unref()
      }
    })
  }

  async #reopen(id: string): Promise<OpenUpload> {
    const lease = await this.#parts.leases.open(`upload ${id}`)
    try {
      const upload: OpenUpload = {
        lease,
        ingest: await this.#parts.content.begin(`upload ${id}`, lease),
        timer: undefined,
      }
      this.#open.set(id, upload)
      return upload
    } catch (error) {
      await lease[Symbol.asyncDispose]()
      throw error
    }
  }

  #rest(id: string): void {
    this.#lock
      .run(id, () => this.#close(id))
      .catch((error: unknown) => this.#parts.log.warn('cannot close an upload', { id, error: String(error) }))
  }

  async #close(id: string): Promise<void> {
    const upload = this.#open.get(id)
    if (!upload) return
    this.#open.delete(id)
    clearTimeout(upload.timer)
    try {
      await upload.ingest[Symbol.asyncDispose]()
    } finally {
      await upload.lease[Symbol.asyncDispose]()
    }
  }
}

async function append(ingest: Ingest, id: string, { bytes, check }: Chunk): Promise<void> {
  check({ id, offset: ingest.offset })
  for await (const chunk of bytes) await ingest.write(chunk)
}
