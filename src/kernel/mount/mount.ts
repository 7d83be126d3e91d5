import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  checked,
  checkedAsync,
  closeDescriptor,
  cString,
  descriptorPath,
  isErrno,
  libc,
  NUMBER,
  O_CLOEXEC,
  O_PATH,
  openInRoot,
  openRoot,
} from '#kernel/call'
import { MS, type MountOptions, parseMountOptions } from './mount-options.ts'
import { attachOverlay } from './overlay.ts'
import type { Mount } from './types.ts'

const OPEN_TREE_CLONE = 1
/** The source is the descriptor itself; a link as the last name of the target is followed, as mount(2) does. */
const MOVE_MOUNT = 0x4 | 0x10
const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8

/**
 * Attaches one mount at `target`, which must exist; links in `target` are followed, so it must be a trusted path.
 * `overlay` options are those of its file system, `lowerdir+=` once a layer, topmost first; `bind` takes `bind` or
 * `rbind` and attributes; other types are given to mount(2).
 */
export function attachMount(mount: Mount, target: string): void {
  if (mount.type === 'overlay') attachOverlay(mount, target)
  else if (mount.type === 'bind' || mount.options.includes('bind') || mount.options.includes('rbind'))
    attachBind(mount, target)
  else attachPlain(mount, target)
}

/** Attaches mounts in order: one without a target at `root` itself, others at their target, looked up inside the root. */
export function attachMounts(mounts: readonly Mount[], root: string): void {
  for (const mount of mounts) {
    if (mount.target === undefined || mount.target === '/' || mount.target === '') attachMount(mount, root)
    else attachInside(mount, mount.target, root)
  }
}

/** A detached copy of what is mounted at `path` (open_tree), to be attached by `moveMount`. The caller closes it. */
export function cloneMount(path: string, options: { readonly recursive?: boolean } = {}): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (options.recursive ? AT_RECURSIVE : 0)
  const fd = libc().openTree(NUMBER.openTree, AT_FDCWD, cString(path), flags >>> 0)
  return checked(fd, { call: 'clone the mount of', path })
}

/** Sets attributes («ro», «nosuid», «rslave»…) of a mount that is held by a descriptor. */
export function setMountAttributes(fd: number, options: readonly string[]): void {
  applyAttributes(fd, parseMountOptions(options))
}

/** Attaches a detached mount at `target`. The descriptor stays the caller's. */
export function moveMount(fd: number, target: string): void {
  const empty = cString('')
  const result = libc().moveMount(NUMBER.moveMount, fd, empty, AT_FDCWD, cString(target), MOVE_MOUNT)
  checked(result, { call: 'attach mount at', path: target })
}

export interface UnmountOptions {
  /** Takes it out of the tree at once, the rest when nobody uses it any more. */
  readonly detach?: boolean
  /** Nothing mounted there, or nothing there at all, is fine. */
  readonly ifMounted?: boolean
}

/** Unmounts what is mounted at `target`, off the main thread: the last unmount of a disk's overlay syncs that disk. */
export async function unmount(target: string, options: UnmountOptions = {}): Promise<void> {
  const facts = { call: 'unmount', path: target }
  try {
    await checkedAsync(libc().umount2, [cString(target), unmountFlags(options)], facts)
  } catch (error) {
    if (!options.ifMounted || !isErrno(error, 'EINVAL', 'ENOENT')) throw error
  }
}

/** As `unmount`, on this thread: only for jobs of workers and for tests. */
export function unmountSync(target: string, options: UnmountOptions = {}): void {
  try {
    checked(libc().umount2(cString(target), unmountFlags(options)), { call: 'unmount', path: target })
  } catch (error) {
    if (!options.ifMounted || !isErrno(error, 'EINVAL', 'ENOENT')) throw error
  }
}

function unmountFlags(options: UnmountOptions): number {
  return UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0)
}

function attachInside(mount: Mount, target: string, root: string): void {
  const rootFd = openRoot(root)
  try {
    const fd = openInRoot(rootFd, target, O_PATH, { follow: true })
    try {
      attachMount(mount, descriptorPath(fd))
    } finally {
      closeDescriptor(fd)
    }
  } finally {
    closeDescriptor(rootFd)
  }
}

function attachBind(mount: Mount, target: string): void {
  const options = parseMountOptions(mount.options)
  const fd = cloneMount(mount.source, { recursive: options.recursive })
  try {
    applyAttributes(fd, options)
    moveMount(fd, target)
  } finally {
    closeDescriptor(fd)
  }
}

/** struct mount_attr: set, clear, propagation, user namespace. */
const MOUNT_ATTR_SIZE = 32

function applyAttributes(fd: number, options: MountOptions): void {
  const change = (part: { set?: number; clear?: number; propagation?: number; recursive: boolean }): void => {
    if (!part.set && !part.clear && !part.propagation) return
    const block = Buffer.alloc(MOUNT_ATTR_SIZE)
    block.writeBigUInt64LE(BigInt(part.set ?? 0), 0)
    block.writeBigUInt64LE(BigInt(part.clear ?? 0), 8)
    block.writeBigUInt64LE(BigInt(part.propagation ?? 0), 16)
    const flags = AT_EMPTY_PATH | (part.recursive ? AT_RECURSIVE : 0)
    const result = libc().mountSetattr(NUMBER.mountSetattr, fd, cString(''), flags, block, block.length)
    checked(result, { call: 'set attributes of a mount' })
  }
  change({ set: options.set, clear: options.clear, recursive: options.attributesRecursive })
  change({ propagation: options.propagation, recursive: options.propagationRecursive })
}

function attachPlain(mount: Mount, target: string): void {
  const options = parseMountOptions(mount.options)
  const data = options.data.length === 0 ? null : cString(options.data.join(','))
  const path = cString(target)
  const result = libc().mount(cString(mount.source), path, cString(mount.type), options.flags, data)
  checked(result, { call: `mount ${mount.type} at`, path: target })
  if (options.propagation !== 0) setPropagation(target, options.propagation, options.propagationRecursive)
}

/** Changes how mount events spread from and to the mount at `target`: MS.unbindable, MS.private, MS.slave, MS.shared. */
export function setPropagation(target: string, propagation: number, recursive: boolean): void {
  const flags = propagation | (recursive ? MS.rec : 0)
  const result = libc().mount(null, cString(target), null, flags, null)
  checked(result, { call: 'set the propagation of', path: target })
}
