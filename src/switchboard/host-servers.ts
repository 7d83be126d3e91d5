import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'

/** Where the resolvers of the host stand. */
export interface HostServers {
  /** As the file says now; looked at again at most once in a while. */
  list(): readonly string[]
}

/** How long what was read is believed without a look. Milliseconds. */
const BELIEVED = 1000

/** The `nameserver` lines of a resolv.conf, read again when the file is another. */
export function createHostServers(path: string, now: () => number = Date.now): HostServers {
  let servers: readonly string[] = []
  let version = ''
  let lookedAt = Number.NEGATIVE_INFINITY
  return {
    list() {
      if (now() - lookedAt < BELIEVED) return servers
      lookedAt = now()
      const seen = versionOf(path)
      if (seen === version) return servers
      version = seen
      servers = parseServers(textOf(path))
      return servers
    },
  }
}

export function parseServers(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .filter((address) => isIP(address) !== 0)
}

function versionOf(path: string): string {
  try {
    const { ino, mtimeMs, size } = statSync(path)
    return `${ino} ${mtimeMs} ${size}`
  } catch {
    return ''
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
