import { constants } from 'node:os'
import { ffi } from './ffi.ts'
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, cString, libc } from './libc.ts'
import { checked, type CallFacts, isErrno, systemCallError } from './system-call-error.ts'

const { errno } = constants

/** A path; bytes where the name may be other than UTF-8. */
export type Path = string | Uint8Array

/** One extended attribute of the entry itself, never of what a link points to; undefined where there is none of that name. */
export function getXattr(path: Path, name: string): Buffer | undefined {
  const facts: CallFacts = { call: `get xattr ${name} of`, path }
  return grown(facts, (buffer) => libc().lgetxattr(cString(path), cString(name), buffer, buffer?.length ?? 0))
}

/** Sets an extended attribute of the entry itself. */
export function setXattr(path: Path, name: string, value: Uint8Array): void {
  const result = libc().lsetxattr(cString(path), cString(name), value, value.length, 0)
  checked(result, { call: `set xattr ${name} of`, path })
}

/** Names of all extended attributes of the entry itself; none where the file system has no xattrs. */
export function listXattrs(path: Path): readonly string[] {
  const facts: CallFacts = { call: 'list xattrs of', path }
  const names = grown(facts, (buffer) => libc().llistxattr(cString(path), buffer, buffer?.length ?? 0))
  if (!names || names.length === 0) return []
  return names.toString('utf8', 0, names.length - 1).split('\0')
}

/** Removes an extended attribute of the entry itself; fine where there is none. */
export function removeXattr(path: Path, name: string): void {
  try {
    checked(libc().lremovexattr(cString(path), cString(name)), { call: `remove xattr ${name} of`, path })
  } catch (error) {
    if (!isErrno(error, 'ENODATA')) throw error
  }
}

/** Makes a fifo, device or socket node (`mode` with its type bits); a whiteout is a character device 0:0. */
export function makeNode(path: Path, mode: number, device: number | bigint): void {
  checked(libc().mknodat(AT_FDCWD, cString(path), mode, device), { call: 'make node', path })
}

/** A device number as Linux encodes it: 12 bits of major, 20 of minor. */
export function makeDevice(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 0x100 + ((minor >>> 8) & 0xfff) * 0x100000
}

/** The inverse of `makeDevice`: what `stat` gives as `rdev`. */
export function splitDevice(device: number | bigint): { readonly major: number; readonly minor: number } {
  const bits = Number(device)
  return { major: (bits >>> 8) & 0xfff, minor: (bits & 0xff) | ((bits >>> 12) & 0xfff00) }
}

/** Sets both times, in nanoseconds since the epoch, of the entry itself. */
export function setTimes(path: Path, atime: bigint, mtime: bigint): void {
  const result = libc().utimensat(AT_FDCWD, cString(path), timesOf(atime, mtime), AT_SYMLINK_NOFOLLOW)
  checked(result, { call: 'set times of', path })
}

/** The same of what an open descriptor leads to. */
export function setDescriptorTimes(fd: number, atime: bigint, mtime: bigint): void {
  const result = libc().futimens(fd, timesOf(atime, mtime))
  if (result < 0) checked(result, { call: 'set times of descriptor', path: String(fd) })
}

const TIMES = Buffer.alloc(32)

/** Until the next. */
function timesOf(atime: bigint, mtime: bigint): Buffer {
  writeTime(TIMES, 0, atime)
  if (mtime === atime) TIMES.copyWithin(16, 0, 16)
  else writeTime(TIMES, 16, mtime)
  return TIMES
}

const BILLION = 1_000_000_000n

function writeTime(into: Buffer, offset: number, nanoseconds: bigint): void {
  // Before 1970 the seconds round down, so that the rest stays positive.
  const rest = ((nanoseconds % BILLION) + BILLION) % BILLION
  into.writeBigInt64LE((nanoseconds - rest) / BILLION, offset)
  into.writeBigInt64LE(rest, offset + 8)
}

/** Attributes are mostly small: one call with this much room, a second one only where that is too little. */
const FIRST_ROOM = 256

function grown(facts: CallFacts, call: (buffer: Buffer | null) => number): Buffer | undefined {
  let buffer = Buffer.allocUnsafe(FIRST_ROOM)
  for (;;) {
    const size = call(buffer)
    if (size >= 0) return buffer.subarray(0, size)
    const number = ffi().errno()
    if (number === errno.ENODATA || number === errno.EOPNOTSUPP) return undefined
    if (number !== errno.ERANGE) throw systemCallError(facts, number)
    buffer = Buffer.allocUnsafe(checked(call(null), facts) + FIRST_ROOM)
  }
}
