import { BlockList, isIP } from 'node:net'
import { invalid } from '#base'

const HUB = 'registry-1.docker.io'
const INDEX = 'index.docker.io'

/** Where a registry is: a host with an optional port, its scheme fixed or to be found out. */
export interface Address {
  /** As people write it. */
  readonly text: string
  readonly host: string
  /** Given by a mirror's URL; undefined: TLS, and plain HTTP too where `insecure`. */
  readonly scheme?: 'http' | 'https'
  /** Prefix of the API's paths, without a slash at its end. */
  readonly prefix: string
  /** Any certificate will do, and plain HTTP where TLS is not answered. */
  readonly insecure: boolean
}

export type IsInsecure = (host: string) => boolean

/** The registry of a reference's domain. */
export function addressOf(domain: string, isInsecure: IsInsecure): Address {
  const host = domain === 'docker.io' ? HUB : domain
  return { text: host, host, prefix: '', insecure: isInsecure(host) }
}

/** Where docker.io is searched. */
export function indexAddress(isInsecure: IsInsecure): Address {
  return { ...addressOf(INDEX, isInsecure), text: INDEX }
}

/** The domain of a server as `docker login` names it: without scheme and path; docker.io in each of its names. */
export function domainOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/s, '')
  return ['', INDEX, HUB, 'docker.io'].includes(host) ? 'docker.io' : host
}

/** A mirror as dockerd takes it: a URL of http or https without credentials, query or fragment. Throws `invalid`. */
export function parseMirror(text: string, isInsecure: IsInsecure): Address {
  const url = URL.parse(text)
  const refuse = (why: string): never => {
    throw invalid(`invalid mirror: ${why}: ${JSON.stringify(text)}`)
  }
  if (!url) return refuse('it is no URL')
  const { protocol, host, pathname } = url
  if (protocol !== 'http:' && protocol !== 'https:') return refuse('unsupported scheme')
  if (url.username !== '' || url.password !== '') return refuse('username or password not allowed in URI')
  if (url.search !== '' || url.hash !== '') return refuse('query or fragment not allowed in URI')
  const scheme = protocol === 'http:' ? 'http' : 'https'
  return { text, host, scheme, prefix: pathname.replace(/\/+$/, ''), insecure: scheme === 'http' || isInsecure(host) }
}

/**
 * The rule for hosts that may do without TLS: those listed (with their port), addresses in a listed CIDR, the
 * loopback addresses, and `localhost`. Names are not looked up. Throws `invalid` for an entry that is neither.
 */
export function insecureRule(entries: readonly string[]): IsInsecure {
  const ranges = new BlockList()
  ranges.addSubnet('127.0.0.0', 8, 'ipv4')
  ranges.addAddress('::1', 'ipv6')
  const hosts = new Set<string>()
  for (const entry of entries) {
    const [, network = '', bits] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? []
    if (bits !== undefined) addRange(ranges, network, Number(bits), entry)
    else hosts.add(checkHost(entry))
  }
  return (host) => {
    const name = hostname(host)
    if (name === 'localhost' || hosts.has(host) || hosts.has(name)) return true
    const family = isIP(name)
    return family !== 0 && ranges.check(name, family === 4 ? 'ipv4' : 'ipv6')
  }
}

function addRange(ranges: BlockList, network: string, bits: number, entry: string): void {
  const family = isIP(network)
  if (family === 0 || bits > (family === 4 ? 32 : 128)) {
    throw invalid(`insecure registry ${JSON.stringify(entry)} is not valid: want a host or a CIDR`)
  }
  ranges.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6')
}

function checkHost(entry: string): string {
  const host = entry.replace(/^https?:\/\//, '').replace(/\/$/, '')
  if (!URL.canParse(`https://${host}/`) || /[/@\s]/.test(host)) {
    throw invalid(`insecure registry ${JSON.stringify(entry)} is not valid: want a host or a CIDR`)
  }
  return host
}

function hostname(host: string): string {
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(host)
  return bracketed ? (bracketed[1] ?? '') : host.replace(/:\d+$/, '')
}
