import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '#kernel'

export interface NameFacts {
  readonly hostname: string
  readonly domainname?: string
  /** Of the container in its networks. */
  readonly addresses: readonly string[]
  /** True where it has the host's network, and so the host's own files. */
  readonly hostNetwork: boolean
}

const LOCAL_HOSTS = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
]

/**
 * Writes /etc/hosts, /etc/hostname and /etc/resolv.conf for one container or build step into `folder` (in place where they
 * are there: they may be mounted) and gives the mounts that bring them in.
 */
export function writeNameFiles(folder: string, facts: NameFacts): readonly Mount[] {
  mkdirSync(folder, { recursive: true, mode: 0o710 })
  const files = {
    hosts: facts.hostNetwork ? readIfThere('/etc/hosts') : hostsText(facts),
    hostname: `${facts.hostname}\n`,
    'resolv.conf': resolverText(readIfThere('/etc/resolv.conf'), facts.hostNetwork),
  }
  return Object.entries(files).map(([name, text]) => {
    const source = join(folder, name)
    writeFileSync(source, text, { mode: 0o644 })
    return { type: 'bind', source, target: `/etc/${name}`, options: ['rbind', 'rprivate'] }
  })
}

/** The lines of /etc/hosts: the local names, then the container's own at each of its addresses. */
export function hostsText({ hostname, domainname, addresses }: Omit<NameFacts, 'hostNetwork'>): string {
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname
  return [...LOCAL_HOSTS, ...addresses.map((address) => `${address}\t${names}`)].map((line) => `${line}\n`).join('')
}

/** Where a resolver of the host only listens on its own loopback, a network of its own cannot reach it. */
const PUBLIC_SERVERS = ['nameserver 8.8.8.8', 'nameserver 8.8.4.4']

/** The host's resolv.conf, without the servers that only the host itself can reach. */
export function resolverText(host: string, hostNetwork: boolean): string {
  if (hostNetwork) return host
  const lines = host.split('\n').filter((line) => !/^\s*nameserver\s+(127\.|::1)/.test(line) && line.trim() !== '')
  const reachable = lines.some((line) => /^\s*nameserver\s/.test(line))
  return [...lines, ...(reachable ? [] : PUBLIC_SERVERS)].map((line) => `${line}\n`).join('')
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
