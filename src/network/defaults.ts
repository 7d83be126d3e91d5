import { randomBytes } from 'node:crypto'
import { type Clock, conflict, longId, unavailable } from '#base'
import { type Block, contains, formatAddress, formatBlock, networkOf, parseBlock } from '#network/link'
import { outwardMtu, parseBridgeAddress, usedBlocks } from './bridge.ts'
import { shorthands, subnetOf } from './definition.ts'
import { OPTION } from './options.ts'
import { type AddressPool, chooseBlock, chooseBlock6 } from './pools.ts'
import { PLAIN } from './rows.ts'
import type { IpamBlock, NetworkRecord, NetworkSettings } from './types.ts'

export interface DefaultParts {
  readonly defaults: NetworkSettings
  readonly pools: readonly AddressPool[] | undefined
  /** The link's name. */
  readonly bridge: string
  readonly clock: Clock
}

/** The default bridge as it is now to be: what it was before, with what the flags say. Throws `conflict` for an impossible flag. */
export function defaultBridge(known: NetworkRecord | undefined, parts: DefaultParts): NetworkRecord {
  const { defaults, bridge } = parts
  const four = rangedBlock(fourBlock(known, parts), defaults.fixedCidr)
  const six = defaults.ipv6 ? [sixBlock(known, parts)] : []
  const ipam = [four, ...six]
  const families = { ipv4: true, ipv6: six.length > 0 }
  return {
    ...PLAIN,
    id: known?.id ?? longId(),
    name: 'bridge',
    driver: 'bridge',
    createdAt: known?.createdAt ?? parts.clock.nanoseconds(),
    ...families,
    ipam,
    ...shorthands(ipam, families),
    bridge,
    options: {
      [OPTION.defaultBridge]: 'true',
      [OPTION.icc]: String(defaults.icc ?? true),
      [OPTION.masquerade]: 'true',
      [OPTION.bridgeName]: bridge,
      [OPTION.mtu]: String(defaults.mtu ?? outwardMtu()),
    },
  }
}

function fourBlock(known: NetworkRecord | undefined, { defaults, pools, bridge }: DefaultParts): IpamBlock {
  if (defaults.bip !== undefined) return blockOf(parseBridgeAddress(defaults.bip), false)
  const before = known?.ipam.find((block) => subnetOf(block).family === 4)
  return before ?? blockOf(chooseGateway(bridge, pools), true)
}

/** A gateway in a block that no address or route of the host touches; throws `conflict` where there is none. */
export function chooseGateway(bridge: string, pools: readonly AddressPool[] | undefined, more: readonly Block[] = []) {
  const block = chooseBlock([...usedBlocks(bridge), ...more], pools)
  if (!block)
    throw conflict(`cannot choose addresses for the bridge ${bridge}: all usual blocks are in use; give one by --bip`)
  return { ...block, value: block.value + 1n }
}

function blockOf(gateway: Block, chosen: boolean): IpamBlock {
  return { subnet: formatBlock(networkOf(gateway)), gateway: formatAddress(gateway), auxAddresses: {}, chosen }
}

function rangedBlock({ ipRange: _before, ...block }: IpamBlock, text: string | undefined): IpamBlock {
  if (text === undefined) return block
  const range = networkOf(parseBlock(text))
  if (!contains(subnetOf(block), range) || range.prefix < subnetOf(block).prefix)
    throw conflict(
      `cannot use --fixed-cidr ${text}: it is not a part of the bridge's block ${block.subnet}; give that by --bip`,
    )
  return { ...block, ipRange: formatBlock(range) }
}

function sixBlock(known: NetworkRecord | undefined, { defaults, pools, bridge }: DefaultParts): IpamBlock {
  if (defaults.fixedCidr6 !== undefined) {
    const block = networkOf(parseBlock(defaults.fixedCidr6))
    if (block.family !== 6) throw conflict(`cannot use --fixed-cidr-v6 ${defaults.fixedCidr6}: an IPv6 block is wanted`)
    return blockOf({ ...block, value: block.value + 1n }, false)
  }
  const before = known?.ipam.find((block) => subnetOf(block).family === 6)
  if (before) return before
  const block = chooseBlock6(usedBlocks(bridge), randomBytes(5), pools)
  if (!block) throw unavailable('cannot choose IPv6 addresses for the default bridge: give them by --fixed-cidr-v6')
  return blockOf({ ...block, value: block.value + 1n }, true)
}
