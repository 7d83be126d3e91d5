/**
 * hub: a registry of our own: the distribution API over the store, for whoever wants to push to it or pull from it, and
 * a cache of other registries. It promises that nothing is seen before its digest was verified, that no manifest stands
 * without its blobs, and that what it names stays until it is removed here. The engine's images can be read by their
 * names. Moving images belongs to `transfer`, speaking to other registries to `registry`, bytes to `store`.
 */
export { type HubBlob, listHubBlobs } from './blob-names.ts'
export { createHubCollector } from './collector.ts'
export { createHub } from './hub.ts'
export type { Hub, Listener, RepositoryInfo, ServeRequest } from './types.ts'
