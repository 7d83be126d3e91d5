import { invalid } from '#base'
import {
  type Block,
  contains,
  type Family,
  formatBlock,
  networkOf,
  overlaps,
  parseAddress,
  readBlock,
} from '#network/link'
import type { EndpointRequest, IpamRequest, NetworkRecord } from './types.ts'

/** Throws `invalid` with everything that is wrong, in Docker's words. IPv6 blocks of a network without it are not looked at. */
export function checkIpam(ipam: readonly IpamRequest[], ipv6: boolean): void {
  refuseAll(
    'invalid network config',
    ipam.flatMap((block) => blockErrors(block, ipv6)),
  )
}

function blockErrors({ subnet: text = '', ipRange, gateway, auxAddresses = {} }: IpamRequest, ipv6: boolean): string[] {
  const subnet = readBlock(text)
  if (!subnet) return [`invalid subnet ${text}: invalid CIDR block notation`]
  if (subnet.family === 6 && !ipv6) return []
  return [
    ...unmasked('subnet', text, subnet),
    ...(ipRange ? rangeErrors(ipRange, subnet) : []),
    ...(gateway ? addressErrors(`gateway ${gateway}`, gateway, subnet) : []),
    ...Object.entries(auxAddresses).flatMap(([name, aux]) => addressErrors(`auxiliary address ${name}`, aux, subnet)),
  ]
}

function rangeErrors(text: string, subnet: Block): readonly string[] {
  const range = readBlock(text)
  if (!range) return [`invalid ip-range ${text}: invalid CIDR block notation`]
  if (range.family !== subnet.family) return [`invalid ip-range ${text}: parent subnet is an IPv${subnet.family} block`]
  const parent = formatBlock(subnet)
  if (range.prefix < subnet.prefix)
    return [`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${parent}`]
  const outside = overlaps(subnet, range)
    ? []
    : [`invalid ip-range ${text}: parent subnet ${parent} doesn't contain ip-range`]
  return [...unmasked('ip-range', text, range), ...outside]
}

function unmasked(what: string, text: string, block: Block): readonly string[] {
  const network = networkOf(block)
  return network.value === block.value ? [] : [`invalid ${what} ${text}: it should be ${formatBlock(network)}`]
}

function addressErrors(what: string, text: string, subnet: Block): readonly string[] {
  const address = parseAddress(text)
  if (!address) return [`invalid ${what}: invalid address`]
  if (address.family !== subnet.family) return [`invalid ${what}: parent subnet is an IPv${subnet.family} block`]
  if (contains(subnet, address)) return []
  return [`invalid ${what}: parent subnet ${formatBlock(subnet)} doesn't contain this address`]
}

/** Whether a network can give a container what it asks for; throws `invalid` with all that is wrong, in Docker's words. */
export function checkEndpoint(network: NetworkRecord, request: EndpointRequest): void {
  refuseAll('invalid endpoint settings', endpointErrors(network, request))
}

function endpointErrors(network: NetworkRecord, request: EndpointRequest): readonly string[] {
  const { address, address6, linkLocal } = request
  const predefined = ['bridge', 'host', 'none'].includes(network.name)
  const own = !predefined || (address === undefined && address6 === undefined && linkLocal.length === 0)
  const names = !predefined || request.aliases.length === 0
  return [
    ...(names ? [] : ['network-scoped alias is supported only for containers in user defined networks']),
    ...(own ? [] : ['user specified IP address is supported on user defined networks only']),
    ...wantedErrors(address, 4, network),
    ...wantedErrors(address6, 6, network),
    ...linkLocal
      .filter((text) => parseAddress(text) === undefined)
      .map((text) => `invalid link-local IP address: ${text}`),
  ]
}

function wantedErrors(text: string | undefined, family: Family, network: NetworkRecord): readonly string[] {
  if (!text) return []
  const address = parseAddress(text)
  const errors = address?.family === family ? [] : [`invalid IPv${family} address: ${text}`]
  const asked = network.ipam.filter(({ chosen }) => !chosen).flatMap(({ subnet }) => readBlock(subnet) ?? [])
  const blocks = asked.filter((block) => block.family === family)
  if (blocks.length === 0)
    return [
      ...errors,
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    ]
  if (address && blocks.some((block) => contains(block, address))) return errors
  return [...errors, `no configured subnet or ip-range contain the IP address ${text}`]
}

function refuseAll(what: string, errors: readonly string[]): void {
  if (errors.length === 0) return
  throw invalid(`${what}:\n${errors.length === 1 ? errors.join('') : errors.map((error) => `* ${error}`).join('\n')}`)
}
