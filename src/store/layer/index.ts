/**
 * store/layer: between layer blobs and snapshots. A blob is applied to a snapshot once and shared by all who have it; an
 * upper folder is hashed as the layer it would pack to, and packed only when somebody needs the blob. Whiteouts and opaque
 * folders are translated both ways. It promises that a hostile layer touches nothing outside its folder and ends in an
 * EngineError, that the digest of what was unpacked is the one wanted, and that what it packs has the diff id
 * recorded. Which layers make an image, and fetching them, belongs to others. It also brings the machine's compressors.
 */
export { createLayerCollector, type LayerCollector } from './collector.ts'
export { writeLayer } from './diff.ts'
export { layerJobs } from './jobs.ts'
export { createLayers } from './layers.ts'
export { NO_PROGRAMS, type Programs, feed, filtersOf, findPrograms } from './program.ts'
export { createLayerVerifier, type LayerState, type LayerVerifier } from './verify.ts'
export { type SendFile, TreeTar } from './tree-tar.ts'
export type * from './types.ts'
