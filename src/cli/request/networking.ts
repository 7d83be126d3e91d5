import { isIP } from 'node:net'
import { invalid } from '#base'
import { badArgument, pairsOf, splitFields } from '#cli/kit'
import type { ContainerFlags } from './options.ts'

/** One `--network`, by name alone or as `name=…,ip=…,alias=…`. */
interface Attachment {
  readonly target: string
  readonly aliases: readonly string[]
  readonly links: readonly string[]
  readonly linkLocal: readonly string[]
  readonly driverOptions: readonly string[]
  readonly ip: string
  readonly ip6: string
  readonly mac: string
  readonly gwPriority: number
}

const PLAIN: Omit<Attachment, 'target'> = {
  aliases: [],
  links: [],
  linkLocal: [],
  driverOptions: [],
  ip: '',
  ip6: '',
  mac: '',
  gwPriority: 0,
}

/** What the flags of run and create say of networks: `HostConfig.NetworkMode` and `NetworkingConfig`. Errors in Docker's words. */
export function networking(flags: ContainerFlags): {
  readonly mode: string
  readonly config: Readonly<Record<string, unknown>>
} {
  const given = [...flags.network, ...flags.net].map(parseAttachment)
  const [first = { ...PLAIN, target: 'default' }, ...others] = given
  const endpoints: Record<string, unknown> = {}
  for (const one of [withFlags(first, flags), ...others]) {
    if (Object.hasOwn(endpoints, one.target)) throw invalid(`network "${one.target}" is specified multiple times`)
    endpoints[one.target] = endpoint(one)
  }
  const kinds = new Set(given.map(({ target }) => isUserDefined(target)))
  if (kinds.size > 1) {
    throw invalid('conflicting options: cannot attach both user-defined and non-user-defined network-modes')
  }
  return { mode: first.target, config: { EndpointsConfig: endpoints } }
}

function isUserDefined(name: string): boolean {
  return !['default', 'bridge', 'host', 'none'].includes(name) && !name.startsWith('container:')
}

function parseAttachment(text: string): Attachment {
  if (!/\w+=\w+(,\w+=\w+)*/.test(text)) return { ...PLAIN, target: text }
  const refuse = (why: string): Error => badArgument(text, '--network', why)
  let found: Attachment = { ...PLAIN, target: '' }
  for (const field of splitFields(text) ?? []) {
    const at = field.indexOf('=')
    if (at <= 0) throw refuse(`invalid field ${field}`)
    const [key, value] = [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim()]
    const read = Object.hasOwn(READERS, key) ? READERS[key] : undefined
    if (!read) throw refuse(`invalid field key ${key}`)
    if (key === 'gw-priority' && !/^[-+]?\d+$/.test(value))
      throw refuse(`invalid gw-priority (${value}): invalid syntax`)
    if (key === 'driver-opt' && !value.includes('=')) throw refuse('invalid key value pair format in driver options')
    found = { ...found, ...read(value, found) }
  }
  if (found.target === '') throw refuse('network name/id is not specified')
  return found
}

const READERS: Readonly<Record<string, (value: string, before: Attachment) => Partial<Attachment>>> = {
  name: (target) => ({ target }),
  alias: (alias, { aliases }) => ({ aliases: [...aliases, alias] }),
  ip: (ip) => ({ ip }),
  ip6: (ip6) => ({ ip6 }),
  'mac-address': (mac) => ({ mac }),
  'link-local-ip': (ip, { linkLocal }) => ({ linkLocal: [...linkLocal, ip] }),
  'driver-opt': (option, { driverOptions }) => ({ driverOptions: [...driverOptions, option] }),
  'gw-priority': (number) => ({ gwPriority: Number(number) }),
}

/** --network-alias, --ip and their like are meant for the first network. */
function withFlags(first: Attachment, flags: ContainerFlags): Attachment {
  const both = (one: string, flag: string, own: string): never | undefined => {
    if (one === '') return undefined
    throw invalid(`conflicting options: cannot specify both ${flag} and per-network ${own}`)
  }
  const { ip = '', ip6 = '', 'mac-address': mac = '', link, 'network-alias': aliases, 'link-local-ip': local } = flags
  if (aliases.length > 0) both(first.aliases.join(), '--network-alias', 'alias')
  if (ip !== '') both(first.ip, '--ip', 'IPv4 address')
  if (ip6 !== '') both(first.ip6, '--ip6', 'IPv6 address')
  if (mac !== '') both(first.mac, '--mac-address', 'MAC address')
  if (local.length > 0) both(first.linkLocal.join(), '--link-local-ip', 'link-local IP addresses')
  return {
    ...first,
    aliases: [...first.aliases, ...aliases],
    // On the default bridge links are the container's own.
    links: isUserDefined(first.target) ? link : [],
    linkLocal: [...first.linkLocal, ...local],
    ip: first.ip || ip,
    ip6: first.ip6 || ip6,
    mac: first.mac || mac,
  }
}

const MAC = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i

function endpoint(one: Attachment): Readonly<Record<string, unknown>> {
  if (one.target.trim() === '') throw invalid('no name set for network')
  if (!isUserDefined(one.target) && one.aliases.length > 0) {
    throw invalid('network-scoped aliases are only supported for user-defined networks')
  }
  if (one.mac !== '' && !MAC.test(one.mac)) throw invalid(`${one.mac} is not a valid mac address`)
  return endpointConfig(one)
}

/** An endpoint's settings as the API takes them; what is not said is left out. */
function endpointConfig(one: Omit<Attachment, 'target'>): Readonly<Record<string, unknown>> {
  const { ip, ip6, linkLocal, driverOptions } = one
  const hasAddress = ip !== '' || ip6 !== '' || linkLocal.length > 0
  return {
    ...(hasAddress && {
      IPAMConfig: {
        ...(ip !== '' && { IPv4Address: ip }),
        ...(ip6 !== '' && { IPv6Address: ip6 }),
        ...(linkLocal.length > 0 && { LinkLocalIPs: linkLocal }),
      },
    }),
    ...(one.links.length > 0 && { Links: one.links }),
    ...(one.aliases.length > 0 && { Aliases: one.aliases }),
    ...(one.mac !== '' && { MacAddress: one.mac }),
    ...(driverOptions.length > 0 && { DriverOpts: pairsOf(driverOptions) }),
    ...(one.gwPriority !== 0 && { GwPriority: one.gwPriority }),
  }
}

/** Throws in Docker's words where what names, links and servers ask for is of no use. */
export function checkNames(flags: ContainerFlags): void {
  for (const server of flags.dns)
    if (isIP(server) === 0) throw badArgument(server, '--dns', `IP address is not correctly formatted: ${server}`)
  for (const domain of flags['dns-search'])
    if (!/^\.$|^[\w-]+(\.[\w-]+)*\.?$/.test(domain)) {
      throw badArgument(domain, '--dns-search', `${domain} is not a valid domain`)
    }
  for (const link of flags.link) {
    if (link === '') throw badArgument(link, '--link', 'empty string specified for links')
    if (link.split(':').length > 2) throw badArgument(link, '--link', `bad format for links: ${link}`)
  }
}

/** `--add-host name=address` or `name:address`, as the API takes them. */
export function extraHosts(texts: readonly string[]): readonly string[] {
  return texts.map((text) => {
    const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(text) ?? []
    if (name === undefined || address === undefined) {
      throw badArgument(text, '--add-host', `bad format for add-host: "${text}"`)
    }
    const bare = address.replace(/^\[(.*)\]$/, '$1')
    if (bare !== 'host-gateway' && isIP(bare) === 0) {
      throw badArgument(text, '--add-host', `invalid IP address in add-host: "${address}"`)
    }
    return `${name}:${bare}`
  })
}
