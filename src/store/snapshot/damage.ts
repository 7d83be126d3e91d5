import type { Clock } from '#base'
import { corrupt } from '#base'
import { type Database, readNumber, readText } from '#store/db'
import { getSnapshotId, type SnapshotRecord } from './records.ts'
import type { SnapshotDamage, SnapshotId } from './types.ts'

/** Which trees are known to be damaged; all calls are synchronous and may stand in a transaction. */
export interface DamageRecords {
  list(): readonly SnapshotDamage[]
  mark(id: SnapshotId, why: string): void
  clear(id: SnapshotId): void
  /** The first damage among these. */
  findIn(ids: readonly SnapshotId[]): SnapshotDamage | undefined
}

export function damageRecords(database: Database, clock: Clock): DamageRecords {
  // Each step of a build and each start asks, and nearly always there is none: only a mark changes that.
  let isEmpty = false
  const list = (): readonly SnapshotDamage[] => {
    if (isEmpty) return []
    const rows = database.all('SELECT snapshot, why FROM snapshot_damage ORDER BY snapshot')
    isEmpty = rows.length === 0
    return rows.map((row) => ({ id: getSnapshotId(String(readNumber(row, 'snapshot'))), why: readText(row, 'why') }))
  }
  return {
    list,
    mark(id, why) {
      isEmpty = false
      database.run(
        `INSERT INTO snapshot_damage (snapshot, why, found_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (snapshot) DO UPDATE SET why = ?2`,
        id,
        why,
        clock.nanoseconds(),
      )
    },
    clear: (id) => void database.run('DELETE FROM snapshot_damage WHERE snapshot = ?', id),
    findIn(ids) {
      const wanted = new Set(ids)
      return list().find((damage) => wanted.has(damage.id))
    },
  }
}

/** What is said instead of showing a damaged tree to a container, a build or a client. */
export function damaged(record: SnapshotRecord | undefined, { id, why }: SnapshotDamage): Error {
  const name = record?.chain ?? id
  return corrupt(`cannot use layer ${name}: it is damaged (${why}): mica system check --repair heals it`)
}
