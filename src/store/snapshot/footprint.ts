import { type Database, readNumber } from '#store/db'
import { getSnapshotId } from './records.ts'
import type { SnapshotId } from './types.ts'

/** What is known of the size of a tree without walking through it. */
export interface Footprint {
  readonly id: SnapshotId
  /** Bytes of blocks of what is in its folder `fs`; absent where it was not measured since it became immutable. */
  readonly size?: number
}

/** Of all trees that do not change any more and are safe on the disk: their blocks are what they will always be. */
export function listFootprints(database: Database): readonly Footprint[] {
  const rows = database.all(
    `SELECT id, usage_size FROM snapshot WHERE kind = 'frozen' AND unsynced_boot IS NULL ORDER BY id`,
  )
  return rows.map((row) => ({
    id: getSnapshotId(String(readNumber(row, 'id'))),
    ...(row['usage_size'] === null ? {} : { size: readNumber(row, 'usage_size') }),
  }))
}
