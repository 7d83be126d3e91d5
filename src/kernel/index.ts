/**
 * kernel: the one room that calls Linux: libc by FFI (mounts and the new mount API, xattrs, mknod, openat2, setns,
 * netlink sockets), the mount table, cgroup files, paths resolved inside a root, `posix_spawn`, and the pool of
 * worker threads that runs the bulk jobs of other rooms. Each call throws `SystemCallError` (call, errno, path).
 * It knows nothing of images or containers.
 */
export * from './descriptor.ts'
export { serveJobs } from './job.ts'
export { attachMount, attachMounts, cloneMount, moveMount, setMountAttributes, unmount, unmountSync } from './mount.ts'
export { createPipe, readDescriptor, writeDescriptor } from './pipe.ts'
export { createWorkerPool } from './pool.ts'
export { killProcess, openPidfd, processExited } from './process.ts'
export { runProcess, spawnProcess, startProcess, waitProcess } from './spawn.ts'
export { isErrno, SystemCallError } from './system-call-error.ts'
export type * from './types.ts'
export * from './xattr.ts'
