/**
 * store/db: the one SQLite file of the store. It promises short synchronous calls with cached statements,
 * transactions that nest, numbered migrations (a newer schema is refused), and that once it is open the main thread never
 * waits for the disk: checkpoints and examinations are worker jobs with a connection of their own, `flush` is an fsync
 * beside it.
 * An INTEGER is read as a number where it is exact, else as a bigint; the `read…` helpers give one type of each.
 * What the tables mean belongs to the rooms that own them. The open file must not be opened by other means:
 * closing a second descriptor would drop SQLite's locks.
 */
export { openDatabase } from './database.ts'
export { databaseJobs } from './jobs.ts'
export { type KeptDatabase, openKeptDatabase } from './kept.ts'
export { sealDatabase } from './seal.ts'
export * from './row.ts'
export type * from './types.ts'
