import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isKind } from '#base'
import { closeDescriptor, type Mount, openRoot, readFileInRoot } from '#kernel'
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
  const gone = new Set((change.remove ?? []).map(lineText))
  editHosts(folder, (lines) => [...lines.filter((line) => !gone.has(line)), ...(change.add ?? []).map(lineText)])
}

/** Each of `lines` with its address, where a line with its first two names stands, and at the end where there is none. */
export function readdressHosts(folder: string, lines: readonly HostLine[]): void {
  const key = (names: readonly string[]): string => names.slice(0, 2).join(' ')
  const left = new Map(lines.map((line) => [key(line.names), line]))
  editHosts(folder, (texts) => {
    const found = texts.map((text) => {
      const names = key(text.split(/\s+/, 3).slice(1))
      const line = left.get(names)
      left.delete(names)
      return line ? lineText(line) : text
    })
    return [...found, ...[...left.values()].map(lineText)]
  })
}

/** Empty lines go. A file that its container has made too long to be read stays as it is. */
function editHosts(folder: string, edit: (lines: readonly string[]) => readonly string[]): void {
  const before = readOwn(folder, 'hosts')
  if (before === undefined) return
  const lines = edit(before.split('\n').filter((line) => line !== ''))
  writeFileSync(join(folder, 'hosts'), lines.map((line) => `${line}\n`).join(''))
}

/** Brings resolv.conf up to date after networks were joined or left, unless somebody edited it. */
export function renewResolver(folder: string, before: NameFacts, after: NameFacts): void {
  if (readOwn(folder, 'resolv.conf') !== resolverTextOf(before)) return
  writeFileSync(join(folder, 'resolv.conf'), resolverTextOf(after))
}

/** More than any real file of names; its container may write to it what it likes, and it is read on the main thread. Bytes. */
const OWN_LIMIT = 1 << 20

/** A container's own file; empty where there is none, undefined where it is too long. */
function readOwn(folder: string, name: string): string | undefined {
  const root = openRoot(folder)
  try {
    return readFileInRoot(root, name, OWN_LIMIT)?.toString('utf8') ?? ''
  } catch (error) {
    if (isKind(error, 'invalid')) return undefined
    throw error
  } finally {
    closeDescriptor(root)
  }
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
