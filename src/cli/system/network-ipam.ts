import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { CommandLineError, pairsOf } from '#cli/kit'

interface IpamFlags {
  readonly subnet: readonly string[]
  readonly gateway: readonly string[]
  readonly 'ip-range': readonly string[]
  readonly 'aux-address': readonly string[]
}

interface Block {
  readonly Subnet: string
  readonly IPRange?: string
  readonly Gateway?: string
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>
}

/** `--subnet`, and to each of them its range, gateway and addresses of others. Errors in Docker's words. */
export function ipamConfig(flags: IpamFlags): readonly Block[] {
  const { subnet: subnets, gateway: gateways, 'ip-range': ranges } = flags
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw refusal('every ip-range or gateway must have a corresponding subnet')
  }
  if (subnets.some((one, at) => subnets.some((other, index) => index !== at && isWithin(one, other)))) {
    throw refusal('multiple overlapping subnet configuration is not supported')
  }
  const blocks = new Map<string, Block>(subnets.map((Subnet) => [Subnet, { Subnet }]))
  for (const range of ranges) place(blocks, { text: range, what: 'range', many: 'ranges', name: 'IPRange' })
  for (const gateway of gateways) place(blocks, { text: gateway, what: 'gateway', many: 'gateways', name: 'Gateway' })
  for (const [name, address] of Object.entries(pairsOf(flags['aux-address']))) {
    const block = blockOf(blocks, address, 'aux-address')
    blocks.set(block.Subnet, { ...block, AuxiliaryAddresses: { ...block.AuxiliaryAddresses, [name]: address } })
  }
  return [...blocks.values()]
}

interface Placed {
  readonly text: string
  readonly what: string
  readonly many: string
  readonly name: 'IPRange' | 'Gateway'
}

function place(blocks: Map<string, Block>, { text, what, many, name }: Placed): void {
  const block = blockOf(blocks, text, what)
  const before = block[name]
  if (before !== undefined) {
    throw refusal(`cannot configure multiple ${many} (${text}, ${before}) on the same subnet (${block.Subnet})`)
  }
  blocks.set(block.Subnet, { ...block, [name]: text })
}

function blockOf(blocks: ReadonlyMap<string, Block>, address: string, what: string): Block {
  const found = [...blocks.values()].find(({ Subnet }) => isWithin(address, Subnet))
  if (!found) throw refusal(`no matching subnet for ${what} ${address}`)
  return found
}

/** An address, or a block by its first one, within a block; false for what is none. */
function isWithin(text: string, subnet: string): boolean {
  const [address = ''] = text.split('/')
  const [network = '', prefix = ''] = subnet.split('/')
  const family = isIPv4(network) ? 'ipv4' : 'ipv6'
  const bits = family === 'ipv4' ? 32 : 128
  const isBlock = (isIPv4(network) || isIPv6(network)) && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits
  if (!isBlock || !(family === 'ipv4' ? isIPv4(address) : isIPv6(address))) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), family)
  return list.check(address, family)
}

function refusal(text: string): CommandLineError {
  return new CommandLineError(text, { exit: 1 })
}
