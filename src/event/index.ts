/**
 * event: the facts that happened (type, action, actor, time) and the bus that keeps the last ones.
 * Emitting never waits and never fails; a slow follower holds up nobody, and a late one may ask for what was kept.
 * Filters and JSON belong to `api`.
 */
export { createEventBus } from './bus.ts'
export type * from './types.ts'
