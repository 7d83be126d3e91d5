import { checked, closeDescriptor, isErrno, libc, NUMBER, watch, type WatchOptions } from '#kernel/call'

/** Sends a signal; false where there is no such process any more. `pid` below 0: a process group. */
export function killProcess(pid: number, signal: number): boolean {
  try {
    checked(libc().kill(pid, signal), { call: 'signal process', path: String(pid) })
    return true
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false
    throw error
  }
}

/** Ends this process at once: `process.exit` waits for its threads, also for those that hang in the kernel for ever. */
export function endProcess(status: number): never {
  libc().exit(status)
  return process.abort()
}

/** Resolves once a process, of ours or not, has ended; at once where there is none. Does not reap it. */
export async function processExited(pid: number, options: WatchOptions = {}): Promise<void> {
  let fd: number
  try {
    fd = openPidfd(pid)
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return
    throw error
  }
  try {
    using ended = watch(fd, 'readable', options)
    await ended.ready()
  } finally {
    closeDescriptor(fd)
  }
}

/** A handle on a process, safe against the reuse of its number; readable once it has ended. */
export function openPidfd(pid: number): number {
  return checked(libc().pidfdOpen(NUMBER.pidfdOpen, pid, 0), { call: 'open process', path: String(pid) })
}
