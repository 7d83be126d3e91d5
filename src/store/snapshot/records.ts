import type { Clock } from '#base'
import assert from 'node:assert/strict'
import { type ChainId, parseChainId } from '#oci'
import { type Database, type Row, readNumber, readOptionalText, readText } from '#store/db'
import type { SnapshotId, Usage } from './types.ts'

export type SnapshotKind = 'active' | 'view' | 'frozen'

export interface SnapshotRecord {
  readonly id: SnapshotId
  readonly kind: SnapshotKind
  /** Of active snapshots and views. */
  readonly key?: string
  readonly parent?: SnapshotId
  readonly chain?: ChainId
  readonly volatile: boolean
  /** The boot in which it was written without being synced since. */
  readonly unsyncedBoot?: string
  readonly usage?: Usage
}

/** The table of this room; all calls are synchronous and may stand in a transaction. */
export interface SnapshotRecords {
  add(record: {
    readonly kind: SnapshotKind
    readonly key: string
    readonly parent: SnapshotId | undefined
    readonly volatile: boolean
    readonly unsyncedBoot?: string
  }): SnapshotId
  /** Gives a record without parent one; ids grow from parent to child, so it may get a new id. */
  place(record: SnapshotRecord, parent: SnapshotId): SnapshotId
  find(id: SnapshotId): SnapshotRecord | undefined
  findKey(key: string): SnapshotRecord | undefined
  findChain(chain: string): SnapshotRecord | undefined
  list(): readonly SnapshotRecord[]
  /** The snapshot itself and what is below it, topmost first. */
  stack(id: SnapshotId): readonly SnapshotId[]
  /** Those of `ids` and all that stand on them, children before parents. */
  above(ids: readonly SnapshotId[]): readonly SnapshotRecord[]
  freeze(id: SnapshotId, bootId: string): void
  name(id: SnapshotId, chain: ChainId): void
  saveUsage(id: SnapshotId, usage: Usage): void
  forgetUsage(id: SnapshotId): void
  hasChildren(id: SnapshotId): boolean
  markSynced(ids: readonly SnapshotId[]): void
  remove(id: SnapshotId): void
}

const STACK = `
WITH RECURSIVE stack (id, parent, depth) AS (
  SELECT id, parent, 0 FROM snapshot WHERE id = ?
  UNION ALL
  SELECT below.id, below.parent, depth + 1 FROM snapshot AS below JOIN stack ON below.id = stack.parent
)
SELECT id FROM stack ORDER BY depth`

export function snapshotRecords(database: Database, clock: Clock): SnapshotRecords {
  const one = (sql: string, value: string): SnapshotRecord | undefined => {
    const row = database.get(sql, value)
    return row && recordOf(row)
  }
  const add: SnapshotRecords['add'] = ({ kind, key, parent, volatile, unsyncedBoot }) =>
    snapshotId(
      database.run(
        `INSERT INTO snapshot (kind, key, parent, volatile, unsynced_boot, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
        kind,
        key,
        parent ?? null,
        volatile ? 1 : 0,
        unsyncedBoot ?? null,
        clock.nanoseconds(),
      ).lastId,
    )
  const remove = (id: SnapshotId): void => void database.run('DELETE FROM snapshot WHERE id = ?', id)
  const list = (): SnapshotRecord[] => database.all('SELECT * FROM snapshot ORDER BY id').map(recordOf)
  return {
    add,
    place({ id, kind, key = '', volatile }, parent) {
      if (Number(parent) > Number(id)) {
        return database.transaction(() => {
          remove(id)
          return add({ kind, key, parent, volatile })
        })
      }
      database.run('UPDATE snapshot SET parent = ? WHERE id = ?', parent, id)
      return id
    },
    find: (id) => one('SELECT * FROM snapshot WHERE id = ?', id),
    findKey: (key) => one('SELECT * FROM snapshot WHERE key = ?', key),
    findChain: (chain) => one('SELECT * FROM snapshot WHERE chain = ?', chain),
    list,
    stack: (id) => database.all(STACK, id).map((row) => snapshotId(readNumber(row, 'id'))),
    above: (ids) => withChildren(list(), new Set(ids)),
    freeze: (id, bootId) =>
      void database.run(`UPDATE snapshot SET kind = 'frozen', key = NULL, unsynced_boot = ? WHERE id = ?`, bootId, id),
    name: (id, chain) => void database.run('UPDATE snapshot SET chain = ? WHERE id = ?', chain, id),
    saveUsage: (id, { size, inodes }) =>
      void database.run('UPDATE snapshot SET usage_size = ?, usage_inodes = ? WHERE id = ?', size, inodes, id),
    forgetUsage: (id) =>
      void database.run('UPDATE snapshot SET usage_size = NULL, usage_inodes = NULL WHERE id = ?', id),
    hasChildren: (id) => database.get('SELECT 1 FROM snapshot WHERE parent = ? LIMIT 1', id) !== undefined,
    markSynced: (ids) =>
      database.transaction(() => {
        for (const id of ids) database.run('UPDATE snapshot SET unsynced_boot = NULL WHERE id = ?', id)
      }),
    remove,
  }
}

/** Ids grow, so a child comes after its parent. */
function withChildren(all: readonly SnapshotRecord[], chosen: Set<SnapshotId>): SnapshotRecord[] {
  const found: SnapshotRecord[] = []
  for (const record of all) {
    const stands = record.parent !== undefined && chosen.has(record.parent)
    if (!stands && !chosen.has(record.id)) continue
    chosen.add(record.id)
    found.unshift(record)
  }
  return found
}

function recordOf(row: Row): SnapshotRecord {
  const kind = readText(row, 'kind')
  const [key, chain] = [readOptionalText(row, 'key'), readOptionalText(row, 'chain')]
  const unsyncedBoot = readOptionalText(row, 'unsynced_boot')
  return {
    id: snapshotId(readNumber(row, 'id')),
    kind: kind === 'active' || kind === 'view' ? kind : 'frozen',
    volatile: readNumber(row, 'volatile') === 1,
    ...(key === undefined ? {} : { key }),
    ...(row['parent'] === null ? {} : { parent: snapshotId(readNumber(row, 'parent')) }),
    ...(chain === undefined ? {} : { chain: parseChainId(chain) }),
    ...(unsyncedBoot === undefined ? {} : { unsyncedBoot }),
    ...(row['usage_size'] === null
      ? {}
      : { usage: { size: readNumber(row, 'usage_size'), inodes: readNumber(row, 'usage_inodes') } }),
  }
}

/** The one place where a number becomes a snapshot's id. */
function snapshotId(number: number): SnapshotId {
  return String(number) as SnapshotId
}

/** The id in a text (a folder's name, a resource's id), or undefined where it is none. */
export function parseSnapshotId(text: string): SnapshotId | undefined {
  return /^[1-9][0-9]{0,14}$/.test(text) ? snapshotId(Number(text)) : undefined
}

/** As `parseSnapshotId`, of a stored text. */
export function getSnapshotId(text: string): SnapshotId {
  const id = parseSnapshotId(text)
  assert(id, `${text} is no snapshot id`)
  return id
}
