/**
 * kernel/mount: mounts by the new mount API: overlay and bind trees, attributes, options as text, the mount table, and
 * namespaces pinned to a file. It promises that a mount is attached whole or not at all. Where things are mounted, and
 * why, others decide.
 */
export {
  HOST_VARIABLE,
  joinMountNamespace,
  reexecuteInMountNamespace,
  unpinMountNamespace,
  withCopiedNamespace,
} from './mount-namespace.ts'
export { parseMountOptions } from './mount-options.ts'
export { mountTable, parseMountTable } from './mount-table.ts'
export type { Mount, MountEntry } from './types.ts'
export { attachMount, attachMounts, cloneMount, moveMount, setMountAttributes, unmount, unmountSync } from './mount.ts'
export { createNetworkNamespace, removeNetworkNamespace, withNetworkNamespace } from './network-namespace.ts'
