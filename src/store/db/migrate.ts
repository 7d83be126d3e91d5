import { unsupported } from '#base'
import type { Migration } from './migrations/index.ts'
import { readNumber } from './row.ts'
import type { Database } from './types.ts'

const LEDGER = `CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, room TEXT NOT NULL) STRICT`

/**
 * Brings the schema up to date, all or nothing. Throws `unsupported` where the file holds a migration that is
 * not known here, before anything is changed.
 */
export function migrate(database: Database, migrations: readonly Migration[], runScript: (sql: string) => void): void {
  database.transaction(() => {
    runScript(LEDGER)
    const applied = new Set(database.all('SELECT number FROM migration').map((row) => readNumber(row, 'number')))
    const known = new Set(migrations.map((migration) => migration.number))
    const newer = [...applied].filter((number) => !known.has(number))
    if (newer.length > 0) throw tooNew(Math.max(...newer), Math.max(0, ...known))
    for (const migration of [...migrations].sort((a, b) => a.number - b.number)) {
      if (applied.has(migration.number)) continue
      runScript(migration.sql)
      database.run('INSERT INTO migration (number, room) VALUES (?, ?)', migration.number, migration.room)
    }
  })
}

function tooNew(found: number, known: number): Error {
  return unsupported(
    `cannot open the data root: its schema is at version ${found} and this mica knows ${known}: ` +
      'it was used by a newer mica, which is what can open it',
  )
}
