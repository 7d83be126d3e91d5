/**
 * store/lease: who still needs what. Work that makes blobs, ingests, snapshots or images opens a lease and holds
 * their names before they exist; from then on no collection takes them. A lease ends with the process at the latest:
 * what a killed one held is left to the next collection. What follows from a held resource (a manifest's
 * layers, a snapshot's parents) is the collector's business.
 */
export { createLeases } from './leases.ts'
export { resourceKey } from './resource.ts'
export type * from './types.ts'
