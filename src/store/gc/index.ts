/**
 * store/gc: the one collector of the store. It marks from roots along edges and has the rest removed: marking and
 * removing records are one transaction, then the database is made durable, then the bytes go. Whatever a lease
 * holds stays, though it may not exist yet. It knows collectors, not kinds: what a resource is, what it leads to
 * and how it is removed is told by the room that owns it.
 */
export { createGarbageCollector } from './collector.ts'
export { type Graph, traceGraph } from './graph.ts'
export type * from './types.ts'
