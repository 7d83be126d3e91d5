/**
 * store/snapshot: overlay snapshots. An active one is a writable folder over its parents, a view its read-only form; frozen
 * it is immutable and usable as a parent; sealed it has the chain id as a name. It emits mounts as data and mounts nothing.
 * It promises that each upper folder stands alone (no redirects, no metacopy), that a record goes before its bytes, and
 * that after a power cut no tree is believed that was not synced. What is in a tree belongs to `store/layer`; the
 * confined walk through one is offered here, because removing and copying need it too.
 */
export { OPAQUE_XATTR, copyFolderAttributes, isOpaque, isOverlayXattr, readXattrs } from './attributes.ts'
export type { TreeComparison } from './compare.ts'
export { type Footprint, listFootprints } from './footprint.ts'
export { snapshotJobs } from './jobs.ts'
export { viewMounts } from './mounts.ts'
export { getSnapshotId } from './records.ts'
export { openSnapshots } from './snapshots.ts'
export type { SurveyInput, SurveyedItem } from './survey.ts'
export { type TreeEntry, ifThere, readLink, walkTree } from './tree.ts'
export type * from './types.ts'
