/**
 * kernel: the one room that calls Linux: libc by FFI (mounts and the new mount API, xattrs, mknod, openat2, setns,
 * netlink sockets), the mount table, cgroup files, paths resolved inside a root, `posix_spawn`, and the pool of
 * worker threads that runs the bulk jobs of other rooms. Each call throws `SystemCallError` (call, errno, path).
 * It knows nothing of images or containers.
 */
export { BulkReader, BulkWriter } from './bulk.ts'
export * from './descriptor.ts'
export { bootId, capabilities, type CgroupMode, cgroupMode } from './host-fact.ts'
export { openHostMounts } from './host-mount.ts'
export { addressBytes, bindInetSocket, connectInetSocket } from './inet-socket.ts'
export { serveJobs } from './job.ts'
export { HOST_VARIABLE, reexecuteInMountNamespace, unpinMountNamespace } from './mount-namespace.ts'
export { mountTable } from './mount-table.ts'
export { parseMountOptions } from './mount-options.ts'
export { attachMount, attachMounts, cloneMount, moveMount, setMountAttributes, unmount, unmountSync } from './mount.ts'
export { openNetlink } from './netlink.ts'
export { createNetworkNamespace, removeNetworkNamespace, withNetworkNamespace } from './network-namespace.ts'
export { type NftChange, watchNft } from './nft-watch.ts'
export { listNft, type NftSession, openNft, runNft } from './nft.ts'
export { readTaggedPackets } from './packet.ts'
export { createPipe, readDescriptor, spliceFile, writeDescriptor } from './pipe.ts'
export { duplicate } from './poll.ts'
export { holdPort } from './port-hold.ts'
export { createWorkerPool } from './pool.ts'
export { endProcess, killProcess, processExited } from './process.ts'
export { type SealedProgram, sealProgram } from './sealed-program.ts'
export {
  connectSeqpacket,
  type DescriptorListener,
  listenForDescriptor,
  setTerminalSize,
  shutdownWrite,
} from './socket.ts'
export { runProcess, spawnProcess } from './spawn.ts'
export { isErrno, type SystemCallError } from './system-call-error.ts'
export type * from './types.ts'
export { readBodyWaiting, sendFileWaiting, type Stopper, writeWaiting } from './waiting.ts'
export * from './xattr.ts'
