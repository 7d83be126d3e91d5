import { internal } from '#base'
import { createNetworkNamespace, removeNetworkNamespace, withNetworkNamespace } from '#kernel'
import { setSetting, withoutIpv6 } from './bridge.ts'
import { type Block } from './address.ts'
import { addAddress, addDefaultRoute, addVeth, findLink, setUp } from './links.ts'
import { openRoutes } from './rtnetlink.ts'

/** The link that a sandbox gets besides its loopback. */
export interface Wire {
  /** The host's end. */
  readonly link: string
  readonly master: number
  readonly mac: string
  readonly mtu: number
  readonly address: Block
  readonly gateway: number
}

/** What the first link is called inside. */
const INSIDE = 'eth0'

/** A network namespace at `path` with its loopback up and, where asked, one end of a veth pair on a bridge. Undone where it fails. */
export function openSandbox(path: string, wire: Wire | undefined): void {
  createNetworkNamespace(path)
  try {
    if (wire) plugIn(path, wire)
    withNetworkNamespace(path, () => furnish(wire))
  } catch (error) {
    removeNetworkNamespace(path)
    throw error
  }
}

function plugIn(path: string, wire: Wire): void {
  using routes = openRoutes()
  const { link: name, master, mtu } = wire
  addVeth(routes, { name, master, mtu, peer: { name: INSIDE, mac: wire.mac, mtu, namespace: path } })
  withoutIpv6(name)
}

/** Inside: the settings that Docker gives to containers, addresses and the way out. */
function furnish(wire: Wire | undefined): void {
  setSetting('net/ipv4/ip_unprivileged_port_start', '0')
  setSetting('net/ipv4/ping_group_range', '0 2147483647')
  using routes = openRoutes()
  setUp(routes, indexOf('lo'))
  if (!wire) return
  // The loopback keeps ::1, which /etc/hosts names.
  withoutIpv6(INSIDE)
  const index = indexOf(INSIDE)
  addAddress(routes, index, wire.address)
  setUp(routes, index)
  addDefaultRoute(routes, wire.gateway)
}

function indexOf(name: string): number {
  using routes = openRoutes()
  const link = findLink(routes, name)
  if (!link) throw internal(`cannot set up a network namespace: it has no link ${name}`)
  return link.index
}
