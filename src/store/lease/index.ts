/**
 * store/lease: who still needs what. Work that makes blobs, ingests, snapshots or images opens a lease and holds
 * their names before they exist; from then on no collection takes them. A lease belongs to one run of the daemon:
 * those of another run are void, because their process is gone. What follows from a held resource (a manifest's
 * layers, a snapshot's parents) is the collector's business.
 */
export { createLeases } from './leases.ts'
export { resourceKey } from './resource.ts'
export type * from './types.ts'
