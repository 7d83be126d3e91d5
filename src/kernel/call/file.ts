import { constants } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { ffi } from './ffi.ts'
import { libc, O_CLOEXEC } from './libc.ts'
import { checked, systemCallError } from './system-call-error.ts'
import { nameBytes } from './entry.ts'

/**
 * Calls on a file that is made and filled. Beside those of node:fs they take some microseconds less each, which counts where
 * many thousand files are written.
 */

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | O_CLOEXEC

/** Makes an empty file in an open folder, for writing; EEXIST where something has that raw name. The caller closes it. */
export function createEntry(folder: number, name: string, mode: number): number {
  const fd = libc().createat(folder, nameBytes(name), NEW_FILE, mode)
  return fd >= 0 ? fd : checked(fd, { call: 'open', path: Buffer.from(name, 'latin1') })
}

/** Writes all of a chunk at the file's position. */
export function writeBytes(fd: number, chunk: Uint8Array): void {
  for (let rest = chunk; rest.length > 0;) {
    const size = libc().write(fd, rest, rest.length)
    if (size === rest.length) return
    if (size >= 0) rest = rest.subarray(size)
    else if (ffi().errno() !== osConstants.errno.EINTR) throw failed('write')
  }
}

/** Gives an open file permission bits. */
export function changeMode(fd: number, mode: number): void {
  if (libc().fchmod(fd, mode) < 0) throw failed('change mode')
}

/** Of the call just before: errno is volatile. */
function failed(call: string): Error {
  return systemCallError({ call }, ffi().errno())
}
