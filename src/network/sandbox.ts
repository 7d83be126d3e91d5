import { internal } from '#base'
import { createNetworkNamespace, type NetlinkSocket, removeNetworkNamespace, withNetworkNamespace } from '#kernel'
import {
  addAddress,
  addDefaultRoute,
  type Address,
  addUpper,
  addVeth,
  type Block,
  deleteDefaultRoutes,
  deleteLink,
  findLink,
  ipvlanData,
  macvlanData,
  openRoutes,
  setAddressless,
  setSetting,
  setUp,
  withoutIpv6,
} from '#network/link'

/** A link that a sandbox gets besides its loopback. */
export interface Plug {
  readonly kind: 'veth' | 'macvlan' | 'ipvlan'
  /** The host's end of a veth pair. */
  readonly link: string
  /** Index of the bridge, or of the link that it stands on. */
  readonly parent: number
  readonly mode: string
  readonly flag: string
  /** What it is called inside. */
  readonly inside: string
  /** The kernel's choice where absent. */
  readonly mac?: string | undefined
  readonly mtu: number
  readonly addresses: readonly Block[]
  readonly ipv6: boolean
}

/** Where packets for everywhere else go: out of a link, by a gateway where it has one. */
export interface Way {
  readonly inside: string
  readonly gateway?: Address | undefined
}

export interface Ways {
  readonly four?: Way | undefined
  readonly six?: Way | undefined
}

/** A network namespace at `path` with its loopback up and these links in it. Undone where it fails. */
export function openSandbox(path: string, plugs: readonly Plug[], ways: Ways): void {
  createNetworkNamespace(path)
  try {
    for (const plug of plugs) plugIn(path, plug)
    withNetworkNamespace(path, () => {
      setSetting('net/ipv4/ip_unprivileged_port_start', '0')
      setSetting('net/ipv4/ping_group_range', '0 2147483647')
      using routes = openRoutes()
      setUp(routes, LOOPBACK)
      const indices = new Map(plugs.map((plug) => [plug.inside, furnish(routes, plug)]))
      direct(routes, ways, (name) => indices.get(name) ?? indexOf(routes, name))
    })
  } catch (error) {
    removeNetworkNamespace(path)
    throw error
  }
}

/** One more link in a sandbox; taken out again where that fails. */
export async function plugInto(path: string, plug: Plug): Promise<void> {
  plugIn(path, plug)
  try {
    withNetworkNamespace(path, () => {
      using routes = openRoutes()
      furnish(routes, plug)
    })
  } catch (error) {
    await unplug(path, plug.inside)
    throw error
  }
}

/** Takes a link out of a sandbox; fine where it is gone. Waits for the kernel off the main thread. */
export async function unplug(path: string, inside: string): Promise<void> {
  using routes = withNetworkNamespace(path, openRoutes)
  const link = findLink(routes, inside)
  if (link) await deleteLink(routes, link.index)
}

/** The default routes of a sandbox become these. */
export function setWays(path: string, ways: Ways): void {
  withNetworkNamespace(path, () => {
    using routes = openRoutes()
    // A route by another gateway is another route.
    for (const family of [4, 6] as const) deleteDefaultRoutes(routes, family)
    direct(routes, ways, (name) => indexOf(routes, name))
  })
}

function plugIn(path: string, plug: Plug): void {
  using routes = openRoutes()
  const { link: name, parent, mac, mtu, inside } = plug
  const inner = { name: inside, mac, mtu, namespace: path }
  switch (plug.kind) {
    case 'veth':
      addVeth(routes, { name, master: parent, mtu, peer: inner })
      return setAddressless(routes, name)
    case 'macvlan':
      return addUpper(routes, { link: inner, kind: 'macvlan', parent, data: macvlanData(plug.mode) })
    case 'ipvlan':
      return addUpper(routes, { link: inner, kind: 'ipvlan', parent, data: ipvlanData(plug.mode, plug.flag) })
  }
}

/** The kernel's number for the loopback of every namespace. */
const LOOPBACK = 1

/** Inside: the settings that Docker gives to containers, and addresses. Gives the link's index. */
function furnish(routes: NetlinkSocket, { inside, addresses, ipv6 }: Plug): number {
  // The loopback keeps ::1, which /etc/hosts names.
  if (ipv6) setSetting(`net/ipv6/conf/${inside}/accept_ra`, '0')
  else withoutIpv6(inside)
  const index = indexOf(routes, inside)
  for (const address of addresses) addAddress(routes, index, address)
  setUp(routes, index)
  return index
}

function direct(routes: NetlinkSocket, { four, six }: Ways, find: (name: string) => number): void {
  for (const [family, way] of [
    [4, four],
    [6, six],
  ] as const) {
    if (way) addDefaultRoute(routes, { family, link: find(way.inside), ...(way.gateway && { gateway: way.gateway }) })
  }
}

function indexOf(routes: NetlinkSocket, name: string): number {
  const link = findLink(routes, name)
  if (!link) throw internal(`cannot set up a network namespace: it has no link ${name}`)
  return link.index
}
