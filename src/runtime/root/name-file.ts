import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '#kernel'
import { type DnsFacts, resolverText } from './resolver-file.ts'

/** A line of /etc/hosts. */
export interface HostLine {
  readonly address: string
  readonly names: readonly string[]
}

export interface NameFacts {
  readonly hostname: string
  readonly domainname?: string | undefined
  /** Of the container in its networks, IPv4 and IPv6. */
  readonly addresses: readonly string[]
  /** True where it has the host's network, and so the host's own files. */
  readonly hostNetwork: boolean
  /** What was asked for besides, before its own lines. */
  readonly more?: readonly HostLine[]
  readonly dns?: DnsFacts
  /** 127.0.0.11 answers in its network namespace. */
  readonly resolver?: boolean
}

const LOCAL_HOSTS = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
]

const NO_DNS: DnsFacts = { servers: [], search: [], options: [] }

/**
 * Writes /etc/hosts, /etc/hostname and /etc/resolv.conf for one container or build step into `folder` (in place where they
 * are there: they may be mounted) and gives the mounts that bring them in.
 */
export function writeNameFiles(folder: string, facts: NameFacts): readonly Mount[] {
  mkdirSync(folder, { recursive: true, mode: 0o710 })
  const { hostNetwork, more = [] } = facts
  const texts = {
    hosts: hostNetwork && more.length === 0 ? readIfThere('/etc/hosts') : hostsText(facts),
    hostname: `${facts.hostname}\n`,
    'resolv.conf': resolverTextOf(facts),
  }
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text, { mode: 0o644 })
  return nameMounts(folder)
}

/** The mounts of files that `writeNameFiles` wrote into `folder`, be it for another container. */
export function nameMounts(folder: string): readonly Mount[] {
  return ['hosts', 'hostname', 'resolv.conf'].map((name) => ({
    type: 'bind',
    source: join(folder, name),
    target: `/etc/${name}`,
    options: ['rbind', 'rprivate'],
  }))
}

/** Lines that come to /etc/hosts and that go out of it while the container runs; what else stands there stays. */
export function changeHosts(
  folder: string,
  change: { readonly add?: readonly HostLine[]; readonly remove?: readonly HostLine[] },
): void {
  const path = join(folder, 'hosts')
  const gone = new Set((change.remove ?? []).map(lineText))
  const kept = readIfThere(path)
    .split('\n')
    .filter((line) => line !== '' && !gone.has(line))
  const text = [...kept, ...(change.add ?? []).map(lineText)].map((line) => `${line}\n`).join('')
  writeFileSync(path, text)
}

/** Each of `lines` with its address, where a line with its first two names stands, and at the end where there is none. */
export function readdressHosts(folder: string, lines: readonly HostLine[]): void {
  const path = join(folder, 'hosts')
  const key = (names: readonly string[]): string => names.slice(0, 2).join(' ')
  const left = new Map(lines.map((line) => [key(line.names), line]))
  const texts = readIfThere(path)
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => {
      const found = key(text.split(/\s+/).slice(1))
      const line = left.get(found)
      left.delete(found)
      return line ? lineText(line) : text
    })
  writeFileSync(path, [...texts, ...[...left.values()].map(lineText)].map((text) => `${text}\n`).join(''))
}

/** Brings resolv.conf up to date after networks were joined or left, unless somebody edited it. */
export function renewResolver(folder: string, before: NameFacts, after: NameFacts): void {
  const path = join(folder, 'resolv.conf')
  if (readIfThere(path) === resolverTextOf(before)) writeFileSync(path, resolverTextOf(after))
}

/** The lines of a container's own names at its addresses. */
export function ownLines({ hostname, domainname, addresses }: NameFacts): readonly HostLine[] {
  const full = domainname ? `${hostname}.${domainname}` : hostname
  const short = full.split('.')[0] ?? full
  return addresses.map((address) => ({ address, names: full === short ? [full] : [full, short] }))
}

/** The lines of /etc/hosts: the local names, what was asked for, then the container's own at each of its addresses. */
export function hostsText(facts: NameFacts): string {
  const lines = [...(facts.more ?? []), ...(facts.hostNetwork ? [] : ownLines(facts))].map(lineText)
  return [...LOCAL_HOSTS, ...lines].map((line) => `${line}\n`).join('')
}

function lineText({ address, names }: HostLine): string {
  return `${address}\t${names.join(' ')}`
}

function resolverTextOf({ dns = NO_DNS, resolver = false, hostNetwork }: NameFacts): string {
  return resolverText(readIfThere('/etc/resolv.conf'), dns, hostNetwork ? 'host' : resolver ? 'internal' : 'own')
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
