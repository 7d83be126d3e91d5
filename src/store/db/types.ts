import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'

export type Row = Record<string, SQLOutputValue>

/** The one SQLite file (WAL, synchronous=NORMAL). Calls are synchronous and short; statements are cached by text. */
export interface Database extends AsyncDisposable {
  all(sql: string, ...parameters: readonly SQLInputValue[]): readonly Row[]
  get(sql: string, ...parameters: readonly SQLInputValue[]): Row | undefined
  run(sql: string, ...parameters: readonly SQLInputValue[]): { readonly changes: number; readonly lastId: number }
  /** All or nothing; nested calls join the outer one. */
  transaction<T>(work: () => T): T
  /** Makes everything committed so far survive a power cut (fsync of the WAL, off the main thread). Before bytes are removed. */
  flush(): Promise<void>
}
