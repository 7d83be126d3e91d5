import { type Database, type Row, readNumber, readOptionalText } from '#store/db'
import { getSnapshotId } from './records.ts'
import type { SnapshotId } from './types.ts'

/** What is recorded of a tree, without a look at the disk. */
export interface Footprint {
  readonly id: SnapshotId
  /** Of an active one; a container's is the container's id. */
  readonly key?: string
  readonly chain?: string
  /** It does not change any more and is safe on the disk: its blocks are what they will always be. */
  readonly isSettled: boolean
  /** Bytes of blocks of what is in its folder `fs`, where it is settled and was measured since. */
  readonly size?: number
}

/** Every tree that has a folder. */
export function listFootprints(database: Database): readonly Footprint[] {
  return database.all(`SELECT * FROM snapshot WHERE kind <> 'view' ORDER BY id`).map(footprintOf)
}

function footprintOf(row: Row): Footprint {
  const [key, chain] = [readOptionalText(row, 'key'), readOptionalText(row, 'chain')]
  const isSettled = row['kind'] === 'frozen' && row['unsynced_boot'] === null
  return {
    id: getSnapshotId(String(readNumber(row, 'id'))),
    ...(key === undefined ? {} : { key }),
    ...(chain === undefined ? {} : { chain }),
    isSettled,
    ...(isSettled && row['usage_size'] !== null ? { size: readNumber(row, 'usage_size') } : {}),
  }
}
