/**
 * container/mount: what is mounted for a container: its plan, made of a request and the image's volumes, and the place on
 * the machine where its root and the host's folders are attached and taken away again. It promises that host folders are
 * looked up where the host sees them, that taking a place away empties nothing and touches nothing of the host, and
 * that a working folder is made inside the root only. When to mount is the room's business.
 */
export { inheritMounts, type PlannedMount, planMounts } from './mount-plan.ts'
export {
  bindMount,
  clearPlace,
  makeWorkingDir,
  mountRoot,
  type Place,
  placeOf,
  stageMount,
  tmpfsMount,
} from './place.ts'
export { openSource } from './source.ts'
export type * from './types.ts'
