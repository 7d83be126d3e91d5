/**
 * runtime/root: what a container finds in its own root by way of us: users out of the root's own files, the places on which the
 * runtime mounts its things, and hosts, hostname and resolv.conf. It promises that a hostile root is read with bounds and never
 * left. What lies in the root besides is the image's.
 */
export { makeMountPoints, withMountPoints } from './mount-point.ts'
export {
  changeHosts,
  type HostLine,
  type NameFacts,
  nameMounts,
  ownLines,
  readdressHosts,
  renewResolver,
  writeNameFiles,
} from './name-file.ts'
export { type ProcessUser, resolveUser } from './user.ts'
