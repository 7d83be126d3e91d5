import { createHash } from 'node:crypto'

/** The exec root of the daemon that has the plain name. */
const DEFAULT_ROOTS: readonly string[] = ['/run/mica', '/var/run/mica']

/**
 * What a daemon's things on the machine are called (bridge, packet filter table, control groups): «mica», or «mica-» and
 * eight digits of its exec root, so that several daemons live side by side and each knows its own.
 */
export function engineName(execRoot: string): string {
  if (DEFAULT_ROOTS.includes(execRoot.replace(/\/+$/, ''))) return 'mica'
  return `mica-${createHash('sha256').update(execRoot).digest('hex').slice(0, 8)}`
}
