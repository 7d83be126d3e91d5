import { BlockList, isIP } from 'node:net'
import type { ProxyConfig } from './types.ts'

/** The proxy's address for a URL; undefined where it is spoken to directly. */
export type ProxyRule = (url: URL) => string | undefined

/**
 * Go's rule, by which Docker's daemon goes: the proxy of the scheme; never for the loopback; not for what `except`
 * names: `*`, an address, a CIDR, `name` (with all below it), `.name` and `*.name` (only what is below), each but a
 * CIDR with a port if wanted. Names are not looked up.
 */
export function proxyRule({ http, https, except = '' }: ProxyConfig): ProxyRule {
  const exceptions = except
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .map(exceptionOf)
  return (url) => {
    const proxy = url.protocol === 'https:' ? https : http
    if (!proxy) return undefined
    const target = { name: nameOf(url.hostname), port: url.port || (url.protocol === 'https:' ? '443' : '80') }
    if (isLoopback(target.name) || exceptions.some((fits) => fits(target))) return undefined
    return /^[a-z0-9+.-]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`
  }
}

interface Target {
  /** In lower case, an address without brackets. */
  readonly name: string
  readonly port: string
}

type Exception = (target: Target) => boolean

function exceptionOf(entry: string): Exception {
  if (entry === '*') return () => true
  const [, network = '', bits] = /^\[?([^/[\]]+)\]?\/(\d{1,3})$/.exec(entry) ?? []
  if (bits !== undefined) return inNetwork(network, Number(bits))
  const { name, port } = splitPort(entry.toLowerCase())
  const suffix = name.replace(/^\*?\./, '.')
  const isBelow = suffix.startsWith('.')
  return (target) => {
    if (port !== undefined && port !== target.port) return false
    if (isBelow) return target.name.endsWith(suffix)
    return target.name === name || (isIP(target.name) === 0 && target.name.endsWith(`.${name}`))
  }
}

/** What is no network excepts nothing. */
function inNetwork(network: string, bits: number): Exception {
  const family = isIP(network)
  if (family === 0 || bits > (family === 4 ? 32 : 128)) return () => false
  const list = new BlockList()
  list.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6')
  return ({ name }) => isIP(name) === family && list.check(name, family === 4 ? 'ipv4' : 'ipv6')
}

/** «name:port», «[address]:port», or either without a port; an address with colons needs no brackets then. */
function splitPort(entry: string): { readonly name: string; readonly port?: string } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry)
  const [, name = entry, port] = bracketed ?? /^([^:]+):(\d+)$/.exec(entry) ?? []
  return { name: isIP(name) === 6 ? nameOf(`[${name}]`) : name, ...(port !== undefined && { port }) }
}

/** As a URL writes it, so that two spellings of an address are one. */
function nameOf(hostname: string): string {
  const written = URL.parse(`http://${hostname}`)?.hostname ?? hostname
  return written.replace(/^\[|\]$/g, '').toLowerCase()
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}
