import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { conflict, errnoOf } from '#base'
import { type Block, chooseBlock, formatBlock, networkOf, overlaps, parseBlock } from './address.ts'
import {
  addAddress,
  addBridge,
  deleteAddress,
  deleteLink,
  findLink,
  listAddresses,
  listLinks,
  listRoutes,
  setMaster,
  setUp,
} from './links.ts'
import { type LinkFacts, openRoutes } from './rtnetlink.ts'

/** Links above this take no benefit here, and Docker's default is the same. */
const USUAL_MTU = 1500

/** The MTU for the bridge: that of the link that leads out, but no more than usual. */
export function outwardMtu(): number {
  using routes = openRoutes()
  const way = listRoutes(routes).find((route) => route.destination.prefix === 0)
  const link = listLinks(routes).find((one) => one.index === way?.index)
  return link && link.mtu > 0 ? Math.min(USUAL_MTU, link.mtu) : USUAL_MTU
}

/** The bridge's link, or undefined. Throws `conflict` where something else has its name. */
export function findBridge(name: string): LinkFacts | undefined {
  using routes = openRoutes()
  const link = findLink(routes, name)
  if (link && link.kind !== 'bridge')
    throw conflict(`cannot use the bridge ${name}: an interface of that name is no bridge`)
  return link
}

/** Makes the bridge and brings it up; one that is there is completed. `gateway` is its own address in its block. */
export function openBridge(name: string, gateway: Block): LinkFacts {
  using routes = openRoutes()
  const link = findBridge(name) ?? makeBridge(name)
  const known = listAddresses(routes).some((one) => one.index === link.index && one.address === gateway.address)
  if (!known) addAddress(routes, link.index, gateway)
  if (!link.up) setUp(routes, link.index)
  return link
}

/** Takes the bridge and every link that is still its port away. */
export async function removeBridge(name: string): Promise<void> {
  const link = findBridge(name)
  if (!link) return
  using routes = openRoutes()
  for (const port of portsOf(link)) await deleteLink(routes, port.index)
  await deleteLink(routes, link.index)
}

/** Makes links that lost their bridge (somebody deleted it) its ports again. */
export function replug(bridge: LinkFacts, names: ReadonlySet<string>): void {
  using routes = openRoutes()
  for (const link of listLinks(routes)) {
    if (names.has(link.name) && link.master !== bridge.index) setMaster(routes, link.index, bridge.index)
  }
}

/** Takes all addresses of the bridge away. */
export function clearAddresses(bridge: LinkFacts): void {
  using routes = openRoutes()
  for (const address of listAddresses(routes)) if (address.index === bridge.index) deleteAddress(routes, address)
}

export function portsOf(bridge: LinkFacts): readonly LinkFacts[] {
  using routes = openRoutes()
  return listLinks(routes).filter((link) => link.master === bridge.index)
}

/** A gateway in a block that no address or route of the host touches; throws `conflict` where there is none. */
export function chooseGateway(bridge: string): Block {
  const block = chooseBlock(usedBlocks(bridge))
  if (!block)
    throw conflict(`cannot choose addresses for the bridge ${bridge}: all usual blocks are in use; give one by --bip`)
  return { address: block.address + 1, prefix: block.prefix }
}

/** The host's block that would clash with the bridge's; undefined where it is free. */
export function clash(bridge: string, gateway: Block): string | undefined {
  const found = usedBlocks(bridge).find((block) => overlaps(block, gateway))
  return found && formatBlock(networkOf(found))
}

/** Blocks of all addresses and routes but the default route and the bridge's own. */
function usedBlocks(bridge: string): readonly Block[] {
  using routes = openRoutes()
  const own = findLink(routes, bridge)?.index
  const addresses = listAddresses(routes).filter((address) => address.index !== own)
  const ways = listRoutes(routes).filter((route) => route.index !== own && route.destination.prefix > 0)
  return [...addresses, ...ways.map((route) => route.destination)]
}

/** `--bip`: an address of a host with the length of its block. */
export function parseBridgeAddress(text: string): Block {
  const block = parseBlock(text)
  const network = networkOf(block)
  if (block.prefix > 30 || network.address === block.address) {
    throw conflict(`cannot use --bip ${text}: an address of the bridge with its block is wanted, as 172.30.0.1/16`)
  }
  return block
}

function makeBridge(name: string): LinkFacts {
  using routes = openRoutes()
  // A bridge without an address of its own takes that of a port, and changes it with them.
  const mac = `02:42:${[...randomBytes(4)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
  addBridge(routes, { name, mac, mtu: outwardMtu() })
  withoutIpv6(name)
  const made = findLink(routes, name)
  if (!made) throw conflict(`cannot make the bridge ${name}: it vanished at once`)
  return made
}

/** Switches IPv6 off for a link of this network namespace («all», «default» too); fine where the kernel has none. */
export function withoutIpv6(name: string): void {
  setSetting(`net/ipv6/conf/${name}/disable_ipv6`, '1')
}

/** Writes a setting below /proc/sys; fine where the kernel does not have it. */
export function setSetting(name: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${name}`, value)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
