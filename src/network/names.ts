import { engineName } from '#base'

/** Names of a daemon's own bridge and packet filter table: an interface's has 15 bytes at most, a table's no hyphen. */
export function bridgeNames(execRoot: string): { readonly bridge: string; readonly table: string } {
  const name = engineName(execRoot)
  return { bridge: name === 'mica' ? 'mica0' : name, table: name.replace('-', '_') }
}
