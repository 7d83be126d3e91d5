import { corrupt, ifExists, syncFolder } from '#base'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { databaseFailure } from './failure.ts'
import { BUSY_TIMEOUT, check, checkpoint } from './jobs.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations/index.ts'
import type { Database, DatabaseOptions, Row } from './types.ts'

/** Commits between two checkpoints: keeps the log at some megabytes. */
const COMMITS_A_CHECKPOINT = 500
/** Statements with a varying number of parameters must not grow the cache for ever. */
const CACHED_STATEMENTS = 400

const SETTINGS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 1048576;
PRAGMA temp_store = MEMORY;
`

/**
 * Opens the store's database, or makes it, checks it and brings its schema up to date. Throws `corrupt` where the
 * file is missing (`create: false`) or damaged, `unsupported` where a newer mica has used it. The check holds up the calling
 * thread: nobody is served before it, and a worker's start would take longer.
 */
export async function openDatabase(path: string, options: DatabaseOptions = {}): Promise<Database> {
  refuseMissing(path, options.create ?? true)
  if (existsSync(path)) check(path)
  const startCheckpoint = async (): Promise<void> =>
    options.pool ? options.pool.run<string, void>('db.checkpoint', path) : checkpoint(path)
  const database = connect(path, startCheckpoint)
  await syncFolder(dirname(path))
  return database
}

function refuseMissing(path: string, create: boolean): void {
  if (existsSync(path)) return
  if (!create) throw corrupt(`cannot open the database ${path}: the file is missing, though the store beside it is not`)
  if (existsSync(`${path}-wal`)) {
    throw corrupt(`cannot open the database ${path}: the file is missing, its log ${path}-wal is there`)
  }
}

function connect(path: string, startCheckpoint: () => Promise<void>): Database {
  const what = `cannot use the database ${path}`
  try {
    const connection = new DatabaseSync(path, { timeout: BUSY_TIMEOUT })
    try {
      connection.exec(SETTINGS)
      const database = new SqliteDatabase(path, connection, startCheckpoint)
      migrate(database, migrations, (sql) => connection.exec(sql))
      return database
    } catch (error) {
      connection.close()
      throw error
    }
  } catch (error) {
    throw databaseFailure(error, what)
  }
}

class SqliteDatabase implements Database {
  readonly #path: string
  readonly #connection: DatabaseSync
  readonly #startCheckpoint: () => Promise<void>
  readonly #statements = new Map<string, StatementSync>()
  #depth = 0
  #commits = 0
  #checkpointing: Promise<void> | undefined

  constructor(path: string, connection: DatabaseSync, startCheckpoint: () => Promise<void>) {
    this.#path = path
    this.#connection = connection
    this.#startCheckpoint = startCheckpoint
  }

  all(sql: string, ...parameters: readonly SQLInputValue[]): readonly Row[] {
    return this.#guard(sql, (statement) => statement.all(...parameters).map(narrow))
  }

  get(sql: string, ...parameters: readonly SQLInputValue[]): Row | undefined {
    return this.#guard(sql, (statement) => {
      const row = statement.get(...parameters)
      return row && narrow(row)
    })
  }

  run(sql: string, ...parameters: readonly SQLInputValue[]): { readonly changes: number; readonly lastId: number } {
    const result = this.#guard(sql, (statement) => statement.run(...parameters))
    if (this.#depth === 0) this.#committed()
    return { changes: Number(result.changes), lastId: Number(result.lastInsertRowid) }
  }

  transaction<T>(work: () => T): T {
    const level = this.#depth
    const [begin, commit, rollback] = level === 0 ? OUTER : nested(level)
    this.#execute(begin)
    this.#depth += 1
    try {
      const value = work()
      assert(!(value instanceof Promise), 'a transaction must be synchronous')
      this.#execute(commit)
      return value
    } catch (error) {
      // SQLite has ended the transaction itself after a full disk or an I/O error.
      if (this.#connection.isTransaction) this.#execute(rollback)
      throw error
    } finally {
      this.#depth = level
      if (level === 0) this.#committed()
    }
  }

  async flush(): Promise<void> {
    const log = await ifExists(open(`${this.#path}-wal`, 'r'))
    if (!log) return
    try {
      await log.sync()
    } finally {
      await log.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#connection.isOpen) return
    await this.#checkpointing
    await this.#startCheckpoint()
    this.#statements.clear()
    this.#connection.close()
  }

  #guard<T>(sql: string, work: (statement: StatementSync) => T): T {
    try {
      return work(this.#statement(sql))
    } catch (error) {
      throw databaseFailure(error, `cannot carry out «${sql.trim()}»`)
    }
  }

  #execute(sql: string): void {
    try {
      this.#connection.exec(sql)
    } catch (error) {
      throw databaseFailure(error, `cannot carry out «${sql}»`)
    }
  }

  #statement(sql: string): StatementSync {
    const cached = this.#statements.get(sql)
    if (cached) return cached
    const statement = this.#connection.prepare(sql)
    statement.setReadBigInts(true)
    const oldest = this.#statements.size >= CACHED_STATEMENTS ? this.#statements.keys().next().value : undefined
    if (oldest !== undefined) this.#statements.delete(oldest)
    this.#statements.set(sql, statement)
    return statement
  }

  #committed(): void {
    this.#commits += 1
    if (this.#commits < COMMITS_A_CHECKPOINT || this.#checkpointing) return
    this.#commits = 0
    // A checkpoint that fails loses nothing: the log keeps the pages and the next one tries again.
    this.#checkpointing = this.#startCheckpoint()
      .catch(() => undefined)
      .finally(() => (this.#checkpointing = undefined))
  }
}

const OUTER = ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'] as const

function nested(level: number): readonly [string, string, string] {
  return [`SAVEPOINT s${level}`, `RELEASE s${level}`, `ROLLBACK TO s${level}; RELEASE s${level}`]
}

function narrow(row: Row): Row {
  for (const [column, value] of Object.entries(row)) {
    if (typeof value !== 'bigint') continue
    const number = Number(value)
    if (Number.isSafeInteger(number)) row[column] = number
  }
  return row
}
