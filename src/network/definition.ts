import { randomBytes } from 'node:crypto'
import { type Clock, conflict, EngineError, forbidden, internal, invalid, longId, unavailable } from '#base'
import {
  type Address,
  type Block,
  type Family,
  formatAddress,
  formatBlock,
  networkOf,
  overlaps,
  parseAddress,
  parseBlock,
} from '#network/link'
import { checkIpam } from './ipam-check.ts'
import { firstFree, isHost } from './ipam.ts'
import { checkGatewayModes, checkOptions, OPTION, upperSettings } from './options.ts'
import { type AddressPool, chooseBlock, chooseBlock6 } from './pools.ts'
import type { IpamBlock, IpamRequest, NetworkDriver, NetworkRecord, NetworkRequest } from './types.ts'

/** What a definition has to fit into. */
export interface Surroundings {
  readonly known: readonly NetworkRecord[]
  /** Blocks of the host's addresses and routes: nothing is chosen that touches them. */
  readonly used: () => readonly Block[]
  readonly pools: readonly AddressPool[] | undefined
  readonly clock: Clock
}

/** The record of a network that is asked for: settings checked, blocks chosen. Errors in Docker's words. */
export function defineNetwork(asked: NetworkRequest, around: Surroundings): NetworkRecord {
  checkName(asked.name, around.known)
  const request = withConfig(asked, around.known)
  const driver = driverOf(request)
  const families = { ipv4: request.ipv4 ?? true, ipv6: request.ipv6 ?? false }
  checkSettings(request, driver, families)
  const id = longId()
  const { configOnly = false, configFrom, name, internal: closed, attachable, labels, options } = request
  const ipam = configOnly ? request.ipam.map(blockAsAsked) : blocksOf(request, families, around)
  if (driver === 'bridge') refuseSeveral(ipam)
  return {
    id,
    name,
    driver,
    createdAt: around.clock.nanoseconds(),
    scope: 'local',
    internal: closed,
    attachable,
    ...families,
    ipam,
    ipamDriver: request.ipamDriver ?? 'default',
    ipamOptions: request.ipamOptions,
    configOnly,
    ...(configFrom !== undefined && { configFrom }),
    ...(!configOnly && shorthands(ipam, families)),
    ...(driver === 'bridge' && { bridge: bridgeOf(id, options, around.known) }),
    labels,
    options,
  }
}

/** Asked for, and nobody else's; else made of the id. */
function bridgeOf(id: string, options: NetworkRequest['options'], known: readonly NetworkRecord[]): string {
  const bridge = options[OPTION.bridgeName] || `br-${id.slice(0, 12)}`
  const other = known.find((network) => network.bridge === bridge)
  if (!other) return bridge
  throw forbidden(
    `cannot create network ${id} (${bridge}): conflicts with network ${other.id} (${bridge}): networks have same bridge name`,
  )
}

function checkSettings(request: NetworkRequest, driver: NetworkDriver, { ipv4, ipv6 }: Families): void {
  const { ipam, options } = request
  checkIpam(ipam, ipv6)
  if (!ipv4 && !ipv6) throw invalid('IPv4 or IPv6 must be enabled')
  checkOptions(options)
  if (driver === 'bridge') checkGatewayModes(options, request.internal)
  if (driver === 'macvlan' || driver === 'ipvlan') upperSettings(driver, options)
}

const PREDEFINED: ReadonlySet<string> = new Set(['bridge', 'host', 'none', 'default'])

function checkName(name: string, known: readonly NetworkRecord[]): void {
  if (name.trim() === '') throw invalid('invalid name: name is empty')
  if (PREDEFINED.has(name)) throw forbidden(`operation is not permitted on predefined ${name} network`)
  if (known.some((network) => network.name === name)) throw conflict(`network with name ${name} already exists`)
}

/** A network whose settings are those of a configuration has none of its own. */
function withConfig(request: NetworkRequest, known: readonly NetworkRecord[]): NetworkRequest {
  const { configFrom } = request
  if (configFrom === undefined) return request
  if (request.configOnly) throw forbidden('a configuration network cannot depend on another configuration network')
  const config = known.find((network) => network.name === configFrom && network.configOnly)
  if (!config) throw missing(`configuration network "${configFrom}" does not exist`)
  const own = [
    request.ipam,
    Object.keys(request.options),
    Object.keys(request.labels),
    Object.keys(request.ipamOptions),
  ]
  if (own.some((given) => given.length > 0) || request.internal || request.ipv6)
    throw forbidden('user specified configurations are not supported if the network depends on a configuration network')
  const { internal, ipv4, ipv6, ipam, ipamDriver, ipamOptions, options, labels } = config
  return { ...request, internal, ipv4, ipv6, ipam, ipamDriver, ipamOptions, options, labels }
}

function driverOf({ driver = 'bridge', ipamDriver = 'default', configOnly }: NetworkRequest): NetworkDriver {
  if (ipamDriver !== 'default') throw missing(`plugin "${ipamDriver}" not found`)
  if (configOnly) return 'null'
  switch (driver) {
    case 'bridge':
    case 'macvlan':
    case 'ipvlan':
      return driver
    case 'host':
    case 'null':
      throw forbidden(`only one instance of "${driver}" network is allowed`)
    case 'overlay':
      throw forbidden(
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      )
    default:
      throw missing(`plugin "${driver}" not found`)
  }
}

function missing(message: string): EngineError {
  return new EngineError('not-found', message)
}

interface Families {
  readonly ipv4: boolean
  readonly ipv6: boolean
}

/** What was asked for, then what had to be chosen. */
function blocksOf(request: NetworkRequest, { ipv4, ipv6 }: Families, around: Surroundings): readonly IpamBlock[] {
  const asked = request.ipam.map(blockAsAsked)
  const taken = around.known.flatMap((network) => (network.configOnly ? [] : network.ipam.map(subnetOf)))
  for (const [index, block] of asked.entries()) {
    const subnet = subnetOf(block)
    if (subnet.family === 6 && !ipv6) continue
    if ([...taken, ...asked.slice(0, index).map(subnetOf)].some((one) => overlaps(one, subnet)))
      throw forbidden('invalid pool request: Pool overlaps with other one on this address space')
    checkReserved(block, subnet)
  }
  const has = (family: Family): boolean => asked.some((block) => subnetOf(block).family === family)
  const used = [...taken, ...asked.map(subnetOf)]
  const chosen: IpamBlock[] = []
  if (ipv4 && !has(4)) chosen.push(chosenBlock(chooseBlock([...used, ...around.used()], around.pools), 'IPv4'))
  if (ipv6 && !has(6))
    chosen.push(chosenBlock(chooseBlock6([...used, ...around.used()], randomBytes(5), around.pools), 'IPv6'))
  return [...asked, ...chosen]
}

function blockAsAsked({ subnet = '', gateway, ipRange, auxAddresses = {} }: IpamRequest): IpamBlock {
  return { subnet, ...(gateway && { gateway }), ...(ipRange && { ipRange }), auxAddresses, chosen: false }
}

function chosenBlock(block: Block | undefined, family: string): IpamBlock {
  if (!block) throw unavailable(`all predefined address pools have been fully subnetted (${family})`)
  const gateway = formatAddress({ ...block, value: block.value + 1n })
  return { subnet: formatBlock(block), gateway, auxAddresses: {}, chosen: true }
}

/** The gateway is an address of a host, and nobody else's. */
function checkReserved(block: IpamBlock, subnet: Block): void {
  const gateway = gatewayOf(block)
  if (gateway !== undefined && !isHost(subnet, gateway))
    throw internal(`failed to allocate gateway (${formatAddress(gateway)}): Address already in use`)
  for (const [name, text] of Object.entries(block.auxAddresses)) {
    if (gateway !== undefined && parseAddress(text)?.value === gateway.value)
      throw internal(`failed to allocate secondary ip address (${name}:${text}): Address already in use`)
  }
}

export function subnetOf({ subnet }: Pick<IpamBlock, 'subnet'>): Block {
  return networkOf(parseBlock(subnet))
}

/** The one that was asked for, else the first that can be given out. */
function gatewayOf(block: IpamBlock): Address | undefined {
  if (block.gateway !== undefined) return parseAddress(block.gateway)
  const aux = new Set(Object.values(block.auxAddresses).map((text) => parseAddress(text)?.value))
  return firstFree(block, aux)
}

function refuseSeveral(blocks: readonly IpamBlock[]): void {
  const families = blocks.map((block) => subnetOf(block).family)
  if (families.filter((family) => family === 4).length > 1 || families.filter((family) => family === 6).length > 1)
    throw forbidden("bridge driver doesn't support multiple subnets")
}

type Shorthands = Partial<
  Pick<NetworkRecord, 'subnet' | 'gateway' | 'prefixLength' | 'subnet6' | 'gateway6' | 'prefixLength6'>
>

/** The first block of each family that is in use, with its gateway. */
export function shorthands(blocks: readonly IpamBlock[], { ipv4, ipv6 }: Families): Shorthands {
  const of = (family: Family) => {
    const block = blocks.find((one) => subnetOf(one).family === family)
    if (!block) return undefined
    const [subnet, gateway] = [subnetOf(block), gatewayOf(block)]
    return { subnet: formatBlock(subnet), prefixLength: subnet.prefix, gateway: gateway && formatAddress(gateway) }
  }
  const [four, six] = [ipv4 ? of(4) : undefined, ipv6 ? of(6) : undefined]
  return {
    ...(four && { subnet: four.subnet, prefixLength: four.prefixLength }),
    ...(four?.gateway !== undefined && { gateway: four.gateway }),
    ...(six && { subnet6: six.subnet, prefixLength6: six.prefixLength }),
    ...(six?.gateway !== undefined && { gateway6: six.gateway }),
  }
}
