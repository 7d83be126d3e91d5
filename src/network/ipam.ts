import {
  type Address,
  type Block,
  contains,
  type Family,
  formatAddress,
  lastOf,
  networkOf,
  parseAddress,
  parseBlock,
} from '#network/link'
import type { IpamBlock, NetworkRecord } from './types.ts'

/** Whether a host can have the address: it is not the block's first (all of them) nor, of IPv4, its last (everybody). */
export function isHost(block: Block, address: Address): boolean {
  if (!contains(block, address)) return false
  const size = (block.family === 4 ? 32 : 128) - block.prefix
  if (size <= 1) return true
  if (address.value === networkOf(block).value) return false
  return block.family === 6 || address.value !== lastOf(block).value
}

/** The lowest address that is given out and not taken; undefined where the block is full. */
export function firstFree(
  block: Pick<IpamBlock, 'subnet' | 'ipRange'>,
  taken: ReadonlySet<bigint | undefined>,
): Address | undefined {
  const subnet = parseBlock(block.subnet)
  const range = block.ipRange === undefined ? subnet : parseBlock(block.ipRange)
  const last = lastOf(range).value
  for (let { value } = networkOf(range); value <= last; value += 1n) {
    const address = { family: subnet.family, value }
    if (!taken.has(value) && isHost(subnet, address)) return address
  }
  return undefined
}

/** What a network never gives to containers: its gateways and what was set aside. */
export function reservedOf(network: NetworkRecord, family: Family): ReadonlySet<bigint> {
  const texts = [
    network.gateway,
    network.gateway6,
    ...network.ipam.flatMap((block) => Object.values(block.auxAddresses)),
  ]
  const addresses = texts.map((text) => parseAddress(text ?? ''))
  return new Set(addresses.flatMap((address) => (address?.family === family ? [address.value] : [])))
}

/** The first free address of the network's blocks of a family; undefined where they are full. */
export function chooseAddress(network: NetworkRecord, family: Family, taken: ReadonlySet<bigint>): string | undefined {
  for (const block of network.ipam) {
    if (parseBlock(block.subnet).family !== family) continue
    const free = firstFree(block, taken)
    if (free) return formatAddress(free)
  }
  return undefined
}

/** Length of the block of the network that the address lies in. */
export function prefixOf(network: NetworkRecord, text: string): number | undefined {
  const address = parseAddress(text)
  const blocks = network.ipam.map(({ subnet }) => parseBlock(subnet))
  return address && blocks.find((block) => contains(block, address))?.prefix
}
