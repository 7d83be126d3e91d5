import { readFile } from 'node:fs/promises'
import { ifExists } from '#base'

const HOST_FILE = '/etc/resolv.conf'
/** Where systemd-resolved names the real servers behind its own one on the loopback. */
const RESOLVED_FILE = '/run/systemd/resolve/resolv.conf'
/** Docker's: for a host that names only servers which a container cannot reach. */
const PUBLIC_SERVERS = ['8.8.8.8', '8.8.4.4']

/**
 * What a container's /etc/resolv.conf holds: the host's own text for `host`, else without servers on the host's loopback
 * and IPv6 ones, as Docker does for its default bridge.
 */
export async function resolvConf(mode: string): Promise<string> {
  const host = (await ifExists(readFile(HOST_FILE, 'utf8'))) ?? ''
  if (mode === 'host') return host
  const behind = serversOf(host).every((server) => server === '127.0.0.53')
    ? await ifExists(readFile(RESOLVED_FILE, 'utf8'))
    : undefined
  return containerResolvConf(behind ?? host)
}

/** The text without servers that cannot be reached from a container; public ones where none is left. */
export function containerResolvConf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const kept = lines.filter((line) => {
    const server = serverOf(line)
    return server === undefined ? true : isReachable(server)
  })
  const servers = kept.some((line) => serverOf(line) !== undefined)
    ? []
    : PUBLIC_SERVERS.map((server) => `nameserver ${server}`)
  return [...kept, ...servers].map((line) => `${line}\n`).join('')
}

function serversOf(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => serverOf(line) ?? [])
}

function serverOf(line: string): string | undefined {
  return /^\s*nameserver\s+(\S+)/.exec(line)?.[1]
}

function isReachable(server: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(server) && !server.startsWith('127.')
}
