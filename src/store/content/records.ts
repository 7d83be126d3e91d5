import type { Clock } from '#base'
import type { Digest } from '#oci'
import { parseDigest } from '#oci'
import type { Database, Row } from '#store/db'
import { readBigInt, readNumber, readText } from '#store/db'
import type { BlobInfo } from './types.ts'

export interface IngestRecord {
  readonly key: string
  /** Name in the ingest folder. */
  readonly file: string
  readonly resume: boolean
  /** Nanoseconds since the epoch of its last beginning or end. */
  readonly updatedAt: bigint
}

/** The two tables of this room; all calls are synchronous and may stand in a transaction. */
export interface ContentRecords {
  findBlob(digest: Digest): BlobInfo | undefined
  listBlobs(): readonly BlobInfo[]
  addBlob(blob: BlobInfo): void
  removeBlob(digest: Digest): void
  findIngest(key: string): IngestRecord | undefined
  listIngests(): readonly IngestRecord[]
  saveIngest(ingest: Omit<IngestRecord, 'updatedAt'>): void
  removeIngest(key: string): void
  /** The ingest's record goes as the blob's comes. */
  turnIntoBlob(key: string, blob: BlobInfo): void
}

export function contentRecords(database: Database, clock: Clock): ContentRecords {
  const addBlob = (blob: BlobInfo): void => {
    database.run(
      'INSERT OR IGNORE INTO content_blob (digest, size, created_at) VALUES (?, ?, ?)',
      blob.digest,
      blob.size,
      clock.nanoseconds(),
    )
  }
  const removeIngest = (key: string): void => {
    database.run('DELETE FROM content_ingest WHERE key = ?', key)
  }
  return {
    findBlob: (digest) => parse(database.get('SELECT * FROM content_blob WHERE digest = ?', digest), blobOf),
    listBlobs: () => database.all('SELECT * FROM content_blob ORDER BY digest').map(blobOf),
    addBlob,
    removeBlob: (digest) => void database.run('DELETE FROM content_blob WHERE digest = ?', digest),
    findIngest: (key) => parse(database.get('SELECT * FROM content_ingest WHERE key = ?', key), ingestOf),
    listIngests: () => database.all('SELECT * FROM content_ingest ORDER BY key').map(ingestOf),
    saveIngest: ({ key, file, resume }) =>
      void database.run(
        `INSERT INTO content_ingest (key, file, resume, updated_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key) DO UPDATE SET file = ?2, resume = ?3, updated_at = ?4`,
        key,
        file,
        resume ? 1 : 0,
        clock.nanoseconds(),
      ),
    removeIngest,
    turnIntoBlob: (key, blob) =>
      database.transaction(() => {
        addBlob(blob)
        removeIngest(key)
      }),
  }
}

function parse<T>(row: Row | undefined, of: (row: Row) => T): T | undefined {
  return row && of(row)
}

function blobOf(row: Row): BlobInfo {
  return { digest: parseDigest(readText(row, 'digest')), size: readNumber(row, 'size') }
}

function ingestOf(row: Row): IngestRecord {
  return {
    key: readText(row, 'key'),
    file: readText(row, 'file'),
    resume: readNumber(row, 'resume') === 1,
    updatedAt: readBigInt(row, 'updated_at'),
  }
}
