import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { invalid } from '#base'
import { ffi } from './ffi.ts'
import { AT_FDCWD, cString, libc, NUMBER, O_CLOEXEC, O_PATH } from './libc.ts'
import { checked, checkedAsync, systemCallError } from './system-call-error.ts'
import type { Path } from './xattr.ts'

const RESOLVE_NO_XDEV = 0x01
const RESOLVE_NO_MAGICLINKS = 0x02
const RESOLVE_IN_ROOT = 0x10

/** How a path inside a root is opened. */
export interface OpenInRootOptions {
  /** Permission bits of a file that the call makes. */
  readonly mode?: number
  /** True: a link as the last name is followed, inside the root. Default: it is not (O_NOFOLLOW). */
  readonly follow?: boolean
  /** True: nothing is seen of what is mounted below the root (EXDEV), and so nobody waits for it. */
  readonly ownMount?: boolean
}

/** A handle on a folder that nothing is looked up above: for `openInRoot`, and with `descriptorPath` for node:fs. The caller closes it. */
export function openRoot(folder: Path): number {
  const flags = O_PATH | constants.O_DIRECTORY
  return checked(openat2(AT_FDCWD, { path: folder, flags, mode: 0, resolve: 0 }), { call: 'open folder', path: folder })
}

/**
 * Opens `path` as a process sees it whose root is `rootFd`: absolute links and `..` stay inside (openat2 RESOLVE_IN_ROOT,
 * without magic links). `flags` are those of fs.constants, O_CLOEXEC is added. The caller closes the descriptor.
 */
export function openInRoot(rootFd: number, path: Path, flags: number, options: OpenInRootOptions = {}): number {
  return checked(tryOpenInRoot(rootFd, path, flags, options), { call: 'open inside the root', path })
}

/** As `openInRoot`; -1 where it fails, for `errno` to say why. */
function tryOpenInRoot(rootFd: number, path: Path, flags: number, options: OpenInRootOptions): number {
  const how = {
    path: path.length === 0 ? '.' : path,
    flags: flags | (options.follow ? 0 : constants.O_NOFOLLOW),
    mode: options.mode ?? 0,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (options.ownMount ? RESOLVE_NO_XDEV : 0),
  }
  for (let attempt = 1; ; attempt += 1) {
    const fd = openat2(rootFd, how)
    if (fd < 0 && ffi().errno() === osConstants.errno.EAGAIN && attempt < RACED_ATTEMPTS) continue
    return fd
  }
}

/** openat2(2) gives up with EAGAIN where a rename or mount anywhere on the machine raced with a `..`: it is asked again. */
const RACED_ATTEMPTS = 1000

/** A path that leads to the open file, for node:fs; with `/name` behind it to an entry of the open folder. */
export function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`
}

/**
 * The bytes of a regular file inside a root that is not trusted; undefined where there is none. What is no file is never
 * opened: a device would act or never end, a fifo would wait. Throws `invalid` for more than `limit` bytes.
 */
export function readFileInRoot(
  rootFd: number,
  path: Path,
  limit: number,
  options: Pick<OpenInRootOptions, 'ownMount'> = {},
): Buffer | undefined {
  const found = findInRoot(rootFd, path, options)
  if (found === undefined) return undefined
  try {
    const { size } = fstatSync(found)
    if (!fstatSync(found).isFile()) return undefined
    if (size > limit) throw invalid(`cannot read ${String(path)}: it is larger than ${limit} bytes`)
    const file = openSync(descriptorPath(found), constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      return readUpTo(file, size)
    } finally {
      closeSync(file)
    }
  } finally {
    closeSync(found)
  }
}

const { ENOENT, ENOTDIR, ELOOP, EXDEV } = osConstants.errno

/** Often there is none: no error is made of that. */
function findInRoot(rootFd: number, path: Path, options: OpenInRootOptions): number | undefined {
  const fd = tryOpenInRoot(rootFd, path, O_PATH, { ...options, follow: true })
  if (fd < 0 && [ENOENT, ENOTDIR, ELOOP, EXDEV].includes(ffi().errno())) return undefined
  return checked(fd, { call: 'open inside the root', path })
}

function readUpTo(fd: number, size: number): Buffer {
  const buffer = Buffer.alloc(size)
  let length = 0
  for (let count = -1; count !== 0 && length < size; length += count)
    count = readSync(fd, buffer, length, size - length, length)
  return buffer.subarray(0, length)
}

/** Closes a descriptor. */
export function closeDescriptor(fd: number): void {
  checked(libc().close(fd), { call: 'close descriptor', path: String(fd) })
}

const LOCK_EX = 2
const LOCK_NB = 4

/** Takes the exclusive lock of an open file (flock): false where another process holds it. Ends with the descriptor. */
export function lockFile(fd: number): boolean {
  if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return true
  const number = ffi().errno()
  if (number === osConstants.errno.EWOULDBLOCK) return false
  throw systemCallError({ call: 'lock descriptor', path: String(fd) }, number)
}

/** Writes everything of the file system that holds `path` to the disk (syncfs), off the main thread. */
export async function syncFileSystem(path: Path): Promise<void> {
  const fd = openRoot(path)
  try {
    // syncfs refuses O_PATH handles.
    const real = openInRoot(fd, '.', constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await checkedAsync(libc().syncfs, [real], { call: 'sync file system of', path })
    } finally {
      closeDescriptor(real)
    }
  } finally {
    closeDescriptor(fd)
  }
}

/** Copies up to `length` bytes between open files at their positions, inside the kernel. Gives the number copied: 0 at the end. */
export function copyRange(from: number, to: number, length: number): number {
  return checked(libc().copyFileRange(from, null, to, null, length, 0), {
    call: 'copy range to descriptor',
    path: String(to),
  })
}

function openat2(
  folder: number,
  how: { readonly path: Path; readonly flags: number; readonly mode: number; readonly resolve: number },
): number {
  const block = Buffer.alloc(24)
  block.writeBigUInt64LE(BigInt((how.flags | O_CLOEXEC) >>> 0), 0)
  block.writeBigUInt64LE(BigInt(how.mode), 8)
  block.writeBigUInt64LE(BigInt(how.resolve), 16)
  return libc().openat2(NUMBER.openat2, folder, cString(how.path), block, block.length)
}
