import { createHash } from 'node:crypto'

/** The exec root of the daemon that has the plain names. */
const DEFAULT_ROOTS: readonly string[] = ['/run/mica', '/var/run/mica']

/** Names of a daemon's own bridge and packet filter table: daemons with other exec roots live side by side. */
export function bridgeNames(execRoot: string): { readonly bridge: string; readonly table: string } {
  if (DEFAULT_ROOTS.includes(execRoot.replace(/\/+$/, ''))) return { bridge: 'mica0', table: 'mica' }
  // An interface's name has 15 bytes at most, and nft takes no hyphen in a table's.
  const mark = createHash('sha256').update(execRoot).digest('hex').slice(0, 8)
  return { bridge: `mica-${mark}`, table: `mica_${mark}` }
}
