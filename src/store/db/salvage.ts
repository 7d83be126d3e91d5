import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { messageOf } from '#base'

/** What could not be taken over, one sentence each. */
export type Losses = readonly string[]

interface Table {
  readonly name: string
  readonly columns: readonly string[]
}

/**
 * Copies what can be read of damaged databases (the first one first; the next ones only where a table of it cannot be
 * read to its end) into a new one, and removes what then names records that are not there.
 */
export function salvage(into: string, sources: readonly string[]): Losses {
  const losses: string[] = []
  using target = openFile(into)
  target.exec('PRAGMA foreign_keys = OFF')
  const tables = tablesOf(target)
  let unread: readonly Table[] = tables
  for (const path of sources) unread = copyTables(target, path, { tables: unread, losses })
  for (let round = 0; round < tables.length; round += 1) if (removeDangling(target, tables, losses) === 0) break
  return losses
}

function openFile(path: string): DatabaseSync & Disposable {
  const database = new DatabaseSync(path)
  return Object.assign(database, { [Symbol.dispose]: () => database.close() })
}

function tablesOf(database: DatabaseSync): readonly Table[] {
  const rows = database
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'migration'`)
    .all()
  return rows.map((row) => {
    const name = String(row['name'])
    const columns = database.prepare('SELECT name FROM pragma_table_info(?)').all(name)
    return { name, columns: columns.map((column) => String(column['name'])) }
  })
}

/** Tables that could not be read to their end. */
function copyTables(
  target: DatabaseSync,
  path: string,
  { tables, losses }: { readonly tables: readonly Table[]; readonly losses: string[] },
): readonly Table[] {
  if (tables.length === 0) return []
  try {
    using source = openFile(path)
    return tables.filter((table) => !copyTable(target, source, table, losses))
  } catch (error) {
    losses.push(`nothing can be read of ${path}: ${messageOf(error)}`)
    return tables
  }
}

/** From both ends, as far as rows can be read. True for all of it. */
function copyTable(target: DatabaseSync, source: DatabaseSync, table: Table, losses: string[]): boolean {
  const key = keyOf(target, table)
  let whole = false
  for (const order of ['ASC', 'DESC'] as const) {
    const problem = copyRows(target, source, table, key.map((column) => `${quote(column)} ${order}`).join(', '))
    if (problem === undefined) whole = true
    if (whole) break
    if (order === 'ASC') losses.push(`records of ${table.name} cannot be read: ${problem}`)
  }
  return whole
}

function keyOf(database: DatabaseSync, { name, columns }: Table): readonly string[] {
  const rows = database.prepare('SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk').all(name)
  return rows.length > 0 ? rows.map((row) => String(row['name'])) : columns.slice(0, 1)
}

function copyRows(
  target: DatabaseSync,
  source: DatabaseSync,
  { name, columns }: Table,
  order: string,
): string | undefined {
  const list = columns.map(quote).join(', ')
  const marks = columns.map(() => '?').join(', ')
  try {
    const insert = target.prepare(`INSERT OR IGNORE INTO ${quote(name)} (${list}) VALUES (${marks})`)
    const select = source.prepare(`SELECT ${list} FROM ${quote(name)} ORDER BY ${order}`)
    select.setReadBigInts(true)
    for (const row of select.iterate()) {
      insert.run(...columns.map((column): SQLInputValue => row[column] ?? null))
    }
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Of records that name missing ones; how many went. */
function removeDangling(database: DatabaseSync, tables: readonly Table[], losses: string[]): number {
  let gone = 0
  for (const { name } of tables) {
    for (const row of database.prepare('SELECT * FROM pragma_foreign_key_list(?)').all(name)) {
      const [from, to, parent] = [row['from'], row['to'] ?? row['from'], row['table']].map((part) =>
        quote(String(part)),
      )
      const { changes } = database
        .prepare(
          `DELETE FROM ${quote(name)} WHERE ${from} IS NOT NULL AND ${from} NOT IN (SELECT ${to} FROM ${parent})`,
        )
        .run()
      if (Number(changes) > 0) losses.push(`${changes} records of ${name} named what is not there`)
      gone += Number(changes)
    }
  }
  return gone
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
