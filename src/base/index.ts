/**
 * base: the few things that every room needs and that know nothing of containers: the error class and its
 * kinds, locks and limits for asynchronous work, byte streams, atomic files, clock, ids and the log.
 * It promises no state of its own and no import but Node's. System calls belong to `kernel`.
 */
export * from './bytes.ts'
export * from './chunked.ts'
export * from './clock.ts'
export * from './concurrency.ts'
export * from './engine-name.ts'
export * from './error.ts'
export * from './file.ts'
export * from './id.ts'
export * from './log.ts'
