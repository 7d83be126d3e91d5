/**
 * builder: from a Dockerfile and a context to an image. A plan first (stages that are needed, steps numbered), then
 * the work: each step out of the cache, from an equal step in flight, or carried out on a snapshot; layers are hashed
 * beside the steps that go on. It promises that equal inputs give the equal image from the cache, that a failed step
 * leaves nothing, and that all file work under a root stays inside of it. Commands run through `Runner`, which
 * others fulfil; what layers are kept is the collector's matter, by the cache records of this room.
 */
export { createBuilder } from './builder.ts'
export { createCacheCollector } from './records.ts'
export { CommandError } from './command-error.ts'
export { builderJobs } from '#builder/files'
export { applyChanges } from '#builder/plan'
export type { BuilderParts } from './session.ts'
export type * from './types.ts'
