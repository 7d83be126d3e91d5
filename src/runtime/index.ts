/**
 * runtime: containers and build steps as processes. It makes the OCI runtime spec of a plain request, finds the program
 * that starts containers here (crun, or runc where crun does not start), and runs containers under conmon, which holds
 * their streams, logs and exit codes while the daemon is away; build steps run in the foreground, on pipes of ours.
 * It looks up users in a root's own files, writes the name files that are mounted in, and gives the places on which the
 * runtime mounts its own things, so that none of them is ever made in a writable layer. It mounts no roots, knows no
 * records and no network: those are the caller's.
 */
export { capabilitiesOf, DEFAULT_CAPABILITIES } from './capability.ts'
export { makeMountPoints, withMountPoints } from '#runtime/root'
export {
  changeHosts,
  type HostLine,
  type NameFacts,
  nameMounts,
  ownLines,
  readdressHosts,
  renewResolver,
  writeNameFiles,
} from '#runtime/root'
export { openRuntime } from './runtime.ts'
export type * from './types.ts'
export { resolveUser } from '#runtime/root'
