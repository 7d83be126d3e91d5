import { corrupt, messageOf } from '#base'
import type { JobTable } from '#kernel'
import { DatabaseSync } from 'node:sqlite'
import { databaseFailure } from './failure.ts'

/** How long a statement waits for another connection's lock. */
export const BUSY_TIMEOUT = 5000

/** What moves the disk, with a connection of its own, away from the main thread. */
export const databaseJobs = {
  'db.checkpoint': (path: string): void => checkpoint(path),
  /** All that does not hold together in pages, indexes and references; the first ones. */
  'db.examine': (path: string): readonly string[] => examine(path),
} satisfies JobTable

/** Copies committed pages from the log to the file, as far as no reader or writer is disturbed. */
export function checkpoint(path: string): void {
  withConnection(path, (connection) => connection.exec('PRAGMA wal_checkpoint(PASSIVE)'))
}

/** Throws `corrupt` where pages or records of the file do not hold together. */
export function check(path: string): void {
  withConnection(path, (connection) => {
    const found = connection.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
    if (found !== 'ok') throw corrupt(`cannot use the database ${path}: ${String(found)}`)
  })
}

function examine(path: string): readonly string[] {
  const problems: string[] = []
  try {
    withConnection(path, (connection) => {
      const pages = connection.prepare('PRAGMA integrity_check(20)').all()
      problems.push(...pages.map((row) => String(row['integrity_check'])).filter((text) => text !== 'ok'))
      for (const row of connection.prepare('PRAGMA foreign_key_check').all().slice(0, 20)) {
        problems.push(`a record of ${String(row['table'])} names one of ${String(row['parent'])} that is not there`)
      }
    })
  } catch (error) {
    problems.push(messageOf(error))
  }
  return problems
}

function withConnection(path: string, work: (connection: DatabaseSync) => void): void {
  try {
    const connection = new DatabaseSync(path, { timeout: BUSY_TIMEOUT })
    try {
      work(connection)
    } finally {
      connection.close()
    }
  } catch (error) {
    throw databaseFailure(error, `cannot use the database ${path}`)
  }
}
