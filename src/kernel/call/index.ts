/**
 * kernel/call: libc by FFI and what lies next to it: descriptors, paths resolved inside a root, pipes, readiness, xattrs, and
 * `SystemCallError` (call, errno, path), which every failed call throws. It promises that no number of libc goes on
 * unchecked. Mounts, sockets and processes are made of it by the rooms beside.
 */
export {
  closeDescriptor,
  copyRange,
  descriptorPath,
  lockFile,
  openInRoot,
  type OpenInRootOptions,
  openRoot,
  readFileInRoot,
  syncFileSystem,
} from './descriptor.ts'
export {
  EntryStat,
  hasXattrs,
  linkEntry,
  openEntry,
  type PlainStat,
  readBytes,
  STATE_WORDS,
  statDescriptor,
  statEntry,
} from './entry.ts'
export { changeMode, createEntry, writeBytes } from './file.ts'
export { ffi, lazy, type Native, type PollHandle } from './ffi.ts'
export { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, cString, libc, NUMBER, O_CLOEXEC, O_PATH } from './libc.ts'
export { createPipe, readDescriptor, spliceFile, writeDescriptor } from './pipe.ts'
export { duplicate, setCloseOnExec, setNonBlocking, watch, type WatchOptions } from './poll.ts'
export { checked, checkedAsync, isErrno, systemCallError, SystemCallError } from './system-call-error.ts'
export { readBodyWaiting, sendFileWaiting, type Stopper, writeWaiting } from './waiting.ts'
export {
  getXattr,
  listXattrs,
  removeXattr,
  makeDevice,
  makeNode,
  type Path,
  setDescriptorTimes,
  setTimes,
  setXattr,
  splitDevice,
} from './xattr.ts'
