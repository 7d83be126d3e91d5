/**
 * engine: constructs every room in plain order, restores after a start, schedules collection and closes. It promises
 * one object whose services are all that the faces see; the types that cross there are offered here, so that `api`
 * needs no other door. HTTP, arguments and texts for people belong to the faces.
 */
export { diagnose, diagnoseApart } from './doctor.ts'
export { openEngine } from './open.ts'
export type * from '#builder'
export type * from '#container'
export type * from '#network'
export type { ExecProcess, StreamEnds } from '#runtime'
export type { PathChange, PathFacts, PathOrigin, TreeDifference } from '#store/layer'
export type * from '#volume'
export type * from './check-types.ts'
export type * from './disk-types.ts'
export type * from './types.ts'
