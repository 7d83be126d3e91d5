import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Tells the kernel early that a process is about to be put into a control group. */
export interface Forewarning {
  give(): void
}

/**
 * Who moves a process between control groups waits until all processors know that forks have to take notice (8 to 15 ms),
 * but not when somebody else did so just before. So the daemon «moves» itself, to where it is, when a process is to be
 * started soon: the runtime's own move waits for what is left, or not at all. Without such a place nothing is done.
 */
export function createForewarning(file = placeOf(readFileSync('/proc/self/cgroup', 'utf8'), existsSync)): Forewarning {
  let given = false
  return {
    give() {
      if (given || file === undefined) return
      given = true
      // Not worth a word where it cannot be: then the runtime waits as it would have.
      writeFile(file, '0', { flag: 'r+' })
        .catch(() => undefined)
        .finally(() => (given = false))
    },
  }
}

const ROOT = '/sys/fs/cgroup'

/** The file that lists the processes of our own group, by /proc/self/cgroup: of the unified tree, else of any other. */
export function placeOf(groups: string, exists: (path: string) => boolean): string | undefined {
  const lines = groups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    return controllers === undefined || path === undefined ? [] : [{ controllers, path }]
  })
  return lines
    .toSorted((one, other) => one.controllers.length - other.controllers.length)
    .flatMap(({ controllers, path }) => {
      const trees = controllers === '' ? [ROOT, join(ROOT, 'unified')] : [join(ROOT, controllers.replace(/^name=/, ''))]
      return trees.map((tree) => join(tree, path, 'cgroup.procs'))
    })
    .find(exists)
}
