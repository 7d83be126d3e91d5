/**
 * kernel: the one room that calls Linux: libc by FFI (mounts and the new mount API, xattrs, mknod, openat2, setns,
 * netlink sockets), the mount table, cgroup files, paths resolved inside a root, `posix_spawn`, and the pool of
 * worker threads that runs the bulk jobs of other rooms. Each call throws `SystemCallError` (call, errno, path).
 * It knows nothing of images or containers.
 */
export {
  changeMode,
  closeDescriptor,
  copyRange,
  createEntry,
  createPipe,
  descriptorPath,
  duplicate,
  EntryStat,
  getXattr,
  hasXattrs,
  isErrno,
  linkEntry,
  listXattrs,
  lockFile,
  makeDevice,
  makeNode,
  openEntry,
  openInRoot,
  type OpenInRootOptions,
  openRoot,
  type Path,
  type PlainStat,
  readBodyWaiting,
  readBytes,
  readDescriptor,
  readFileInRoot,
  removeXattr,
  sendFileWaiting,
  setDescriptorTimes,
  setTimes,
  setXattr,
  spliceFile,
  splitDevice,
  statDescriptor,
  STATE_WORDS,
  statEntry,
  type Stopper,
  syncFileSystem,
  type SystemCallError,
  writeDescriptor,
  writeWaiting,
} from '#kernel/call'
export {
  attachMount,
  attachMounts,
  cloneMount,
  createNetworkNamespace,
  HOST_VARIABLE,
  type Mount,
  type MountEntry,
  mountTable,
  moveMount,
  parseMountOptions,
  reexecuteInMountNamespace,
  removeNetworkNamespace,
  setMountAttributes,
  unmount,
  unmountSync,
  unpinMountNamespace,
  withNetworkNamespace,
} from '#kernel/mount'
export {
  addressBytes,
  bindInetSocket,
  connectInetSocket,
  connectSeqpacket,
  type DescriptorListener,
  holdPort,
  listenForDescriptor,
  listNft,
  type NetlinkSocket,
  type NftChange,
  type NftSession,
  netfilterMessage,
  netfilterNested,
  netlinkAttribute,
  netlinkMessage,
  netlinkNested,
  netlinkText,
  openNetlink,
  readNetlinkAttributes,
  openNft,
  readTaggedPackets,
  relay,
  runNft,
  setTerminalSize,
  shutdownWrite,
  watchNft,
} from '#kernel/net'
export {
  endProcess,
  type ExitStatus,
  killProcess,
  processExited,
  type ProcessRequest,
  runProcess,
  type SealedProgram,
  sealProgram,
  type SpawnedProcess,
  spawnProcess,
} from '#kernel/process'
export { BulkReader, BulkWriter } from './bulk.ts'
export { bootId, capabilities, type CgroupMode, cgroupMode } from './host-fact.ts'
export { openHostMounts } from './host-mount.ts'
export { serveJobs } from './job.ts'
export { giveMemoryBack } from './memory.ts'
export { createWorkerPool } from './pool.ts'
export { createRing, MOST_OF_RECORD, readRing, type Ring, RingWriter } from './ring.ts'
export { Stillness } from './stillness.ts'
export { unlessHung } from './unless-hung.ts'
export type * from './types.ts'
