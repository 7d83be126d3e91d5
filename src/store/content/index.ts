/**
 * store/content: blobs by digest, and the ingests that become blobs. A blob is a read-only file that is complete,
 * synced and verified before its record exists; a whole read verifies it again. Half-written bytes are an ingest,
 * which the same key continues for a day. It promises that a crash leaves only files that nothing names, and
 * removes those at the next start. What the bytes mean, and who still needs them, belongs to others.
 */
export { followGrowth, type Growth, growthEnded, growthRanges, readGrown } from './growing.ts'
export { contentJobs } from './jobs.ts'
export { openContentStore } from './store.ts'
export type * from './types.ts'
