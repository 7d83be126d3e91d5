import { readFileSync, writeSync } from 'node:fs'
import { checked, closeDescriptor, cString, libc } from '#kernel/call'

const MFD_CLOEXEC = 1
const MFD_ALLOW_SEALING = 2
const F_ADD_SEALS = 1033
/** F_SEAL_SEAL, SHRINK, GROW, WRITE: nobody changes it any more. */
const ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8

/** A copy of a program in memory that can be executed and not be changed. */
export interface SealedProgram extends Disposable {
  /** To be executed by this process and its children for as long as it is not disposed of. */
  readonly path: string
}

/** Copies a program into sealed memory. A runtime that is started from there need not copy itself at each start. */
export function sealProgram(file: string): SealedProgram {
  const name = file.slice(file.lastIndexOf('/') + 1)
  const fd = checked(libc().memfdCreate(cString(name), MFD_CLOEXEC | MFD_ALLOW_SEALING), {
    call: 'copy program',
    path: file,
  })
  try {
    for (let rest = readFileSync(file); rest.length > 0;) rest = rest.subarray(writeSync(fd, rest))
    checked(libc().fcntl(fd, F_ADD_SEALS, ALL_SEALS), { call: 'seal the copy of', path: file })
  } catch (error) {
    closeDescriptor(fd)
    throw error
  }
  return { path: `/proc/${process.pid}/fd/${fd}`, [Symbol.dispose]: () => closeDescriptor(fd) }
}
