import { conflict, EngineError, longId, shortId } from '#base'
import { type Family, macOf, parseAddress } from '#network/link'
import { chooseAddress, prefixOf } from './ipam.ts'
import { OPTION } from './options.ts'
import type { EndpointRecord, NetworkRecords, SandboxRecord } from './records.ts'
import type { AttachRequest, EndpointRequest, NetworkRecord } from './types.ts'

/** A network and what a container wants of it. */
export interface Wanted {
  readonly network: NetworkRecord
  readonly request: EndpointRequest
}

/** What a container asks for nothing special in. */
function plainRequest(network: string): EndpointRequest {
  return { network, linkLocal: [], aliases: [], links: [], driverOptions: {}, gwPriority: 0 }
}

/** The networks that an attachment joins, in Docker's order: who gives the default route comes first. */
export function wantedOf(request: AttachRequest, find: (name: string) => NetworkRecord): readonly Wanted[] {
  const mode = request.mode === 'default' ? 'bridge' : request.mode
  const asked = request.networks.length > 0 ? request.networks : [plainRequest(mode)]
  return asked
    .map((one) => ({ network: find(one.network), request: one }))
    .toSorted((first, second) => precedence(rankOf(first), rankOf(second)))
}

interface Ranked {
  readonly network: NetworkRecord
  readonly gwPriority: number
}

function rankOf({ network, request }: Wanted): Ranked {
  return { network, gwPriority: request.gwPriority }
}

/** Less than zero where the first gives the default route rather than the second. */
export function precedence(one: Ranked, other: Ranked): number {
  if (one.gwPriority !== other.gwPriority) return other.gwPriority - one.gwPriority
  if (one.network.internal !== other.network.internal) return one.network.internal ? 1 : -1
  const [first, second] = [one, other].map(({ network }) => Number(network.ipv4 && network.ipv6))
  if (first !== second) return (second ?? 0) - (first ?? 0)
  return one.network.name < other.network.name ? -1 : 1
}

export interface Joining extends Wanted {
  readonly sandbox: SandboxRecord
  /** Names of links that the sandbox has already. */
  readonly interfaces: ReadonlySet<string>
}

/** The record of a new endpoint: addresses chosen or checked, names collected. Nothing is written. */
export function newEndpoint(records: NetworkRecords, joining: Joining): EndpointRecord {
  const { network, request, sandbox } = joining
  const { aliases, links, gwPriority, driverOptions, address, address6, linkLocal } = request
  const asked = address !== undefined || address6 !== undefined || linkLocal.length > 0
  const ipam = { ...(address && { address }), ...(address6 && { address6 }), linkLocal }
  return {
    id: longId(),
    network: network.name,
    networkId: network.id,
    container: sandbox.container,
    aliases,
    links,
    gwPriority,
    driverOptions,
    dnsNames: namesOf(network, sandbox, aliases),
    ...(asked && { ipam }),
    ready: true,
    ...linkFacts(records, joining),
  }
}

/** On the default bridge nobody has a name. */
function namesOf(network: NetworkRecord, sandbox: SandboxRecord, aliases: readonly string[]): readonly string[] {
  if (!isNamed(network)) return []
  const short = sandbox.container.slice(0, 12)
  return [...new Set([sandbox.name, ...aliases, short, sandbox.hostname])].filter((name) => name !== '')
}

/** Whether containers find each other by name in it. */
export function isNamed(network: NetworkRecord): boolean {
  return network.driver !== 'host' && network.driver !== 'null' && network.name !== 'bridge'
}

/** The names follow the container's own. */
export function renamed(endpoint: EndpointRecord, from: string, to: string): EndpointRecord {
  return { ...endpoint, dnsNames: endpoint.dnsNames.map((name) => (name === from ? to : name)) }
}

function linkFacts(records: NetworkRecords, joining: Joining): Partial<EndpointRecord> {
  const { network, request } = joining
  if (network.driver === 'host' || network.driver === 'null') return {}
  const address = network.ipv4 ? pickAddress(records, joining, 4) : undefined
  const address6 = network.ipv6 ? pickAddress(records, joining, 6) : undefined
  const macAddress = request.macAddress ?? derivedMac(network, address ?? address6)
  return {
    interface: interfaceName(joining),
    ...(network.driver === 'bridge' && { link: `veth${shortId().slice(0, 8)}` }),
    ...(macAddress !== undefined && { macAddress }),
    ...placeIn(network, address, address6),
  }
}

function placeIn(network: NetworkRecord, address?: string, address6?: string): Partial<EndpointRecord> {
  const { gateway, gateway6 } = network
  const [prefixLength, prefixLength6] = [address, address6].map((text) => text && prefixOf(network, text))
  const open = !network.internal && !isRouted(network)
  return {
    ...(address !== undefined && { address }),
    ...(typeof prefixLength === 'number' && { prefixLength }),
    ...(open && address !== undefined && gateway !== undefined && { gateway }),
    ...(address6 !== undefined && { address6 }),
    ...(typeof prefixLength6 === 'number' && { prefixLength6 }),
    ...(open && address6 !== undefined && gateway6 !== undefined && { gateway6 }),
  }
}

/** An ipvlan of a routing mode: packets go out of the link, whoever they are for. */
export function isRouted({ driver, options }: NetworkRecord): boolean {
  return driver === 'ipvlan' && (options['ipvlan_mode'] ?? 'l2') !== 'l2'
}

/** The links of an ipvlan have their parent's, those of a passthru macvlan too. */
function derivedMac({ driver, options }: NetworkRecord, text: string | undefined): string | undefined {
  if (driver === 'ipvlan' || options['macvlan_mode'] === 'passthru') return undefined
  const address = parseAddress(text ?? '')
  return address && macOf(address)
}

function pickAddress(records: NetworkRecords, { network, request }: Joining, family: Family): string {
  const wanted = family === 4 ? request.address : request.address6
  const taken = records.taken(network, family)
  const value = parseAddress(wanted ?? '')?.value
  if (wanted === undefined || value === undefined) {
    const free = chooseAddress(network, family, taken)
    if (free !== undefined) return free
    throw conflict(
      `no available IPv${family} addresses on this network's address pools: ${network.name} (${network.id})`,
    )
  }
  if (taken.has(value)) throw conflict('Address already in use')
  return wanted
}

const MAX_INTERFACE = 15

function interfaceName({ network, request, interfaces }: Joining): string {
  const asked = request.driverOptions[OPTION.interfaceName]
  if (asked) {
    if (interfaces.has(asked)) throw conflict(`cannot join ${network.name}: the container has a link ${asked} already`)
    return asked.slice(0, MAX_INTERFACE)
  }
  const prefix = network.options[OPTION.interfacePrefix] || 'eth'
  for (let index = 0; ; index += 1) if (!interfaces.has(`${prefix}${index}`)) return `${prefix}${index}`
}

/** Throws in Docker's words where nothing can be attached to the network. */
export function checkJoinable(network: NetworkRecord): void {
  if (!network.configOnly) return
  throw new EngineError('forbidden', 'cannot create endpoint on configuration-only network')
}
