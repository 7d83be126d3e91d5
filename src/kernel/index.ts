/**
 * kernel: the one room that calls Linux: libc by FFI (mounts and the new mount API, xattrs, mknod, openat2, setns,
 * netlink sockets), the mount table, cgroup files, paths resolved inside a root, `posix_spawn`, and the pool of
 * worker threads that runs the bulk jobs of other rooms. Each call throws `SystemCallError` (call, errno, path).
 * It knows nothing of images or containers.
 */
export type * from './types.ts'
