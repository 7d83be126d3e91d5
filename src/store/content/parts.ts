import type { Clock, KeyedLock } from '#base'
import type { Digest } from '#oci'
import type { ContentFolders } from './folders.ts'
import type { ContentRecords } from './records.ts'
import type { ContentJobRunner } from './types.ts'

/** What the files of this room share. */
export interface ContentParts {
  readonly folders: ContentFolders
  readonly records: ContentRecords
  readonly jobs: ContentJobRunner
  readonly clock: Clock
  /** By digest: a blob's file appears or goes together with its record. By `ingestLock`: an ingest's file. */
  readonly locks: KeyedLock
  /** Keys of ingests that are being written. */
  readonly open: Set<string>
  /** True where record and file are both there. */
  holdsFile(digest: Digest): boolean
}
