import { closeSync, openSync, rmSync } from 'node:fs'
import { checked, cString, libc } from '#kernel/call'
import { MS } from './mount-options.ts'
import { unmountSync } from './mount.ts'

const CLONE_NEWNET = 0x40000000
const OWN = '/proc/thread-self/ns/net'

/** A new, empty network namespace, kept alive by a file at `path` (whose folder must exist). Undone where it fails. */
export function createNetworkNamespace(path: string): void {
  closeSync(openSync(path, 'wx', 0o600))
  try {
    comingBack(() => {
      checked(libc().unshare(CLONE_NEWNET), { call: 'make a network namespace' })
      const result = libc().mount(cString(OWN), cString(path), null, MS.bind, null)
      checked(result, { call: 'pin network namespace at', path })
    })
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  }
}

/** Takes the file away; the kernel removes namespace and interfaces once no process is in it. Fine where there is none. */
export function removeNetworkNamespace(path: string): void {
  unmountSync(path, { detach: true, ifMounted: true })
  rmSync(path, { force: true })
}

/**
 * Runs a short synchronous section in another network namespace and comes back in the same turn; sockets opened there stay
 * there. The process is aborted if it cannot come back: nothing must go on in the wrong namespace.
 */
export function withNetworkNamespace<T>(path: string, section: () => T): T {
  const fd = openSync(path, 'r')
  try {
    return comingBack(() => {
      checked(libc().setns(fd, CLONE_NEWNET), { call: 'enter network namespace', path })
      return section()
    })
  } finally {
    closeSync(fd)
  }
}

function comingBack<T>(section: () => T): T {
  const home = openSync(OWN, 'r')
  try {
    return section()
  } finally {
    if (libc().setns(home, CLONE_NEWNET) !== 0) process.abort()
    closeSync(home)
  }
}
