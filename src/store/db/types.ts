import type { WorkerPool } from '#kernel'
import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'

export type Row = Record<string, SQLOutputValue>

/** The one SQLite file (WAL, synchronous=NORMAL). Calls are synchronous and short; statements are cached by text. */
export interface Database extends AsyncDisposable {
  all(sql: string, ...parameters: readonly SQLInputValue[]): readonly Row[]
  get(sql: string, ...parameters: readonly SQLInputValue[]): Row | undefined
  run(sql: string, ...parameters: readonly SQLInputValue[]): { readonly changes: number; readonly lastId: number }
  /** All or nothing, also for a nested call on its own; durable with the outermost. The work must be synchronous. */
  transaction<T>(work: () => T): T
  /** Makes everything committed so far survive a power cut (fsync of the WAL, off the main thread). Before bytes are removed. */
  flush(): Promise<void>
}

export interface DatabaseOptions {
  /** Runs checkpoints and the check at opening; without it they run in the caller's thread (tests, tools). */
  readonly pool?: Pick<WorkerPool, 'run'>
  /** False where the store says that there was a database: a missing file is then `corrupt`. */
  readonly create?: boolean
}
