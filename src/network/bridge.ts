import { randomBytes } from 'node:crypto'
import { conflict, internal } from '#base'
import {
  addAddress,
  addBridge,
  type Block,
  closePort,
  deleteAddress,
  deleteLink,
  findLink,
  formatBlock,
  type LinkFacts,
  listAddresses,
  listLinks,
  listRoutes,
  networkOf,
  openHairpin,
  openRoutes,
  overlaps,
  parseBlock,
  setMaster,
  setSetting,
  setUp,
  withoutIpv6,
} from '#network/link'

/** Links above this take no benefit here, and Docker's default is the same. */
const USUAL_MTU = 1500

/** The MTU for bridges: that of the link that leads out, but no more than usual. */
export function outwardMtu(): number {
  using routes = openRoutes()
  const way = listRoutes(routes).find((route) => route.destination.prefix === 0 && route.destination.family === 4)
  const link = listLinks(routes).find((one) => one.index === way?.index)
  return link && link.mtu > 0 ? Math.min(USUAL_MTU, link.mtu) : USUAL_MTU
}

/** The bridge's link, or undefined. Throws `internal` in Docker's words where something else has its name. */
export function findBridge(name: string): LinkFacts | undefined {
  using routes = openRoutes()
  const link = findLink(routes, name)
  if (link && link.kind !== 'bridge') throw internal(`existing interface ${name} is not a bridge`)
  return link
}

export interface BridgeRequest {
  readonly name: string
  /** For one that has to be made. */
  readonly mtu: () => number
  /** Its own addresses, with their blocks. */
  readonly gateways: readonly Block[]
}

/** Makes the bridge and brings it up; one that is there is completed. */
export function openBridge(bridge: BridgeRequest): LinkFacts {
  using routes = openRoutes()
  const found = findBridge(bridge.name)
  const link = found ?? makeBridge(bridge)
  const known = found ? listAddresses(routes).filter((one) => one.index === link.index) : []
  for (const gateway of bridge.gateways) {
    if (known.some((one) => one.family === gateway.family && one.value === gateway.value)) continue
    if (gateway.family === 6) allowIpv6(bridge.name)
    addAddress(routes, link.index, gateway)
  }
  if (!link.up) setUp(routes, link.index)
  return link
}

/** Takes the bridge away, and what containers left at it; other links that somebody plugged in stay, without it. */
export async function removeBridge(name: string): Promise<void> {
  const link = findBridge(name)
  if (!link) return
  using routes = openRoutes()
  for (const port of portsOf(link)) if (isOurs(port)) await deleteLink(routes, port.index)
  await deleteLink(routes, link.index)
}

/** By what links of endpoints are called. */
export function isOurs({ kind, name }: Pick<LinkFacts, 'kind' | 'name'>): boolean {
  return kind === 'veth' && /^veth[0-9a-f]{8}$/.test(name)
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

/**
 * The bridge sends nothing to these links any more: until the kernel has removed a namespace that was dropped, it would
 * answer for addresses that somebody else may have by then.
 */
export function closePorts(names: readonly string[]): void {
  using routes = openRoutes()
  for (const name of names) {
    const link = findLink(routes, name)
    if (link?.master !== undefined) closePort(routes, link.index)
  }
}

/**
 * A container may reach its own published port: where the kernel shows bridged packets to the filter, it translates them
 * while they are in the bridge, and what goes back to its sender would be dropped there.
 */
export function openWayBack(name: string): void {
  using routes = openRoutes()
  const link = findLink(routes, name)
  if (link?.master !== undefined) openHairpin(routes, link.index)
}

/** The host's block that would clash with the bridge's; undefined where it is free. */
export function clash(bridge: string, gateway: Block): string | undefined {
  const found = usedBlocks(bridge).find((block) => overlaps(block, gateway))
  return found && formatBlock(networkOf(found))
}

/** Blocks of all addresses and routes of the host but the default routes, the loopback's and one bridge's own. */
export function usedBlocks(bridge?: string): readonly Block[] {
  using routes = openRoutes()
  const own = bridge === undefined ? undefined : findLink(routes, bridge)?.index
  const addresses = listAddresses(routes).filter((address) => address.index !== own)
  const ways = listRoutes(routes).filter((route) => route.index !== own && route.destination.prefix > 0)
  return [...addresses, ...ways.map((route) => route.destination)]
}

/** `--bip`: an address of a host with the length of its block. */
export function parseBridgeAddress(text: string): Block {
  const block = parseBlock(text)
  const network = networkOf(block)
  if (block.family !== 4 || block.prefix > 30 || network.value === block.value) {
    throw conflict(`cannot use --bip ${text}: an address of the bridge with its block is wanted, as 172.30.0.1/16`)
  }
  return block
}

function makeBridge({ name, mtu }: BridgeRequest): LinkFacts {
  using routes = openRoutes()
  // A bridge without an address of its own takes that of a port, and changes it with them.
  const mac = `02:42:${[...randomBytes(4)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
  addBridge(routes, { name, mac, mtu: mtu() })
  withoutIpv6(name)
  const made = findLink(routes, name)
  if (!made) throw conflict(`cannot make the bridge ${name}: it vanished at once`)
  return made
}

function allowIpv6(name: string): void {
  setSetting(`net/ipv6/conf/${name}/accept_ra`, '0')
  setSetting(`net/ipv6/conf/${name}/disable_ipv6`, '0')
}
