import { closeSync, openSync } from 'node:fs'
import {
  isErrno,
  netlinkAttribute as attribute,
  netlinkNested as nested,
  type NetlinkSocket,
  netlinkText as textAttribute,
} from '#kernel'
import { type Address, type Block, type Family, lastOf } from './address.ts'
import {
  addressAttribute,
  type AddressFacts,
  addressHeader,
  AF_BRIDGE,
  AF_INET6,
  byteAttribute,
  FLAG,
  IFA,
  IFLA,
  INET6,
  INFO,
  linkHeader,
  type LinkFacts,
  macAttribute,
  message,
  numberAttribute,
  PORT,
  readAddress,
  readLink,
  readRoute,
  type RouteFacts,
  routeHeader,
  RTA,
  RTM,
  shortAttribute,
  UP,
  VETH_PEER,
} from './rtnetlink.ts'

/** What can be done to links, addresses and routes; each on the given socket, in that socket's network namespace. */

export function findLink(socket: NetlinkSocket, name: string): LinkFacts | undefined {
  try {
    const [reply] = socket.request(message(RTM.getLink, 0, linkHeader(), [textAttribute(IFLA.name, name)]))
    return reply && readLink(reply)
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return undefined
    throw error
  }
}

export function listLinks(socket: NetlinkSocket): readonly LinkFacts[] {
  return socket.request(message(RTM.getLink, FLAG.dump, linkHeader(), [])).map(readLink)
}

export function listAddresses(socket: NetlinkSocket): readonly AddressFacts[] {
  return present(socket.request(message(RTM.getAddress, FLAG.dump, addressHeader(), [])).map(readAddress))
}

/** Routes of the main table. */
export function listRoutes(socket: NetlinkSocket): readonly RouteFacts[] {
  return present(socket.request(message(RTM.getRoute, FLAG.dump, routeHeader(), [])).map(readRoute))
}

export interface LinkRequest {
  readonly name: string
  /** Chosen by the kernel where absent. */
  readonly mac?: string | undefined
  readonly mtu: number
}

export function addBridge(socket: NetlinkSocket, bridge: LinkRequest): void {
  const attributes = [...linkAttributes(bridge), nested(IFLA.linkInfo, textAttribute(INFO.kind, 'bridge'))]
  socket.request(message(RTM.newLink, FLAG.create | FLAG.exclusive, linkHeader(), attributes))
}

/** A link that is made inside the network namespace which the file shows. */
export interface InnerLink extends LinkRequest {
  readonly namespace: string
}

export interface VethRequest {
  /** The end on the bridge, made up at once. */
  readonly name: string
  readonly mtu: number
  /** A bridge's index; none for a pair that leads nowhere. */
  readonly master?: number
  /** The other end, still down. */
  readonly peer: InnerLink | LinkRequest
}

export function addVeth(socket: NetlinkSocket, veth: VethRequest): void {
  withNamespace(veth.peer, (inside) => {
    const peer = [linkHeader(), ...linkAttributes(veth.peer), ...inside]
    const data = nested(INFO.data, attribute(VETH_PEER, Buffer.concat(peer)))
    const attributes = [
      textAttribute(IFLA.name, veth.name),
      numberAttribute(IFLA.mtu, veth.mtu),
      ...(veth.master === undefined ? [] : [numberAttribute(IFLA.master, veth.master)]),
      nested(IFLA.linkInfo, textAttribute(INFO.kind, 'veth'), data),
    ]
    socket.request(message(RTM.newLink, FLAG.create | FLAG.exclusive, linkHeader(0, UP, UP), attributes))
  })
}

/** A link that stands on another; `kind` and `data` are those of the kernel. */
export interface UpperRequest {
  readonly link: InnerLink | LinkRequest
  readonly kind: 'macvlan' | 'ipvlan' | 'vlan'
  /** Index of the link that it stands on. */
  readonly parent: number
  readonly data: readonly Buffer[]
}

const MACVLAN_MODE = 1
const MACVLAN_MODES: Readonly<Record<string, number>> = { private: 1, vepa: 2, bridge: 4, passthru: 8 }
const IPVLAN = { mode: 1, flags: 2 }
const IPVLAN_MODES: Readonly<Record<string, number>> = { l2: 0, l3: 1, l3s: 2 }
const IPVLAN_FLAGS: Readonly<Record<string, number>> = { bridge: 0, private: 1, vepa: 2 }
const VLAN_ID = 1

export function macvlanData(mode: string): readonly Buffer[] {
  return [numberAttribute(MACVLAN_MODE, MACVLAN_MODES[mode] ?? 4)]
}

export function ipvlanData(mode: string, flag: string): readonly Buffer[] {
  return [shortAttribute(IPVLAN.mode, IPVLAN_MODES[mode] ?? 0), shortAttribute(IPVLAN.flags, IPVLAN_FLAGS[flag] ?? 0)]
}

export function vlanData(id: number): readonly Buffer[] {
  return [shortAttribute(VLAN_ID, id)]
}

export function addUpper(socket: NetlinkSocket, { link, kind, parent, data }: UpperRequest): void {
  withNamespace(link, (inside) => {
    const info = nested(IFLA.linkInfo, textAttribute(INFO.kind, kind), nested(INFO.data, ...data))
    const attributes = [...linkAttributes(link), numberAttribute(IFLA.link, parent), ...inside, info]
    socket.request(message(RTM.newLink, FLAG.create | FLAG.exclusive, linkHeader(), attributes))
  })
}

export function setUp(socket: NetlinkSocket, index: number): void {
  socket.request(message(RTM.newLink, 0, linkHeader(index, UP, UP), []))
}

const NO_ADDRESSES = 1

/**
 * The kernel gives the link no IPv6 address by itself. It waits its turn for the lock of links; the setting `disable_ipv6`
 * would fight for it, and lose for as long as another namespace is taken apart. Fine where the kernel has no IPv6.
 */
export function setAddressless(socket: NetlinkSocket, name: string): void {
  const mode = nested(IFLA.familySpec, nested(AF_INET6, byteAttribute(INET6.addressMode, NO_ADDRESSES)))
  try {
    socket.request(message(RTM.setLink, 0, linkHeader(), [textAttribute(IFLA.name, name), mode]))
  } catch (error) {
    if (!isErrno(error, 'EAFNOSUPPORT')) throw error
  }
}

/** Makes a link a port of a bridge, and brings it up. */
export function setMaster(socket: NetlinkSocket, index: number, master: number): void {
  socket.request(message(RTM.newLink, 0, linkHeader(index, UP, UP), [numberAttribute(IFLA.master, master)]))
}

/** A bridge's port carries nothing any more, and the bridge forgets who was behind it. */
export function closePort(socket: NetlinkSocket, index: number): void {
  const port = nested(IFLA.protocolInfo | NESTED, byteAttribute(PORT.state, 0), attribute(PORT.flush, Buffer.alloc(0)))
  socket.request(message(RTM.setLink, 0, linkHeader(index, 0, 0, AF_BRIDGE), [port]))
}

/** A bridge may send back through a port what came in by it. */
export function openHairpin(socket: NetlinkSocket, index: number): void {
  const port = nested(IFLA.protocolInfo | NESTED, byteAttribute(PORT.hairpin, 1))
  socket.request(message(RTM.setLink, 0, linkHeader(index, 0, 0, AF_BRIDGE), [port]))
}

const NESTED = 0x8000

export function deleteAddress(socket: NetlinkSocket, address: AddressFacts): void {
  const attributes = [addressAttribute(IFA.local, address)]
  socket.request(message(RTM.deleteAddress, 0, addressHeader(address.index, address), attributes))
}

/** Fine where it is there already. */
export function addAddress(socket: NetlinkSocket, index: number, block: Block): void {
  const attributes = [addressAttribute(IFA.local, block), addressAttribute(IFA.address, block)]
  if (block.family === 4) attributes.push(addressAttribute(IFA.broadcast, lastOf(block)))
  socket.request(message(RTM.newAddress, FLAG.create | FLAG.replace, addressHeader(index, block), attributes))
}

/** The way to everywhere else: by a gateway, or out of a link. */
export interface DefaultRoute {
  readonly family: Family
  readonly link: number
  readonly gateway?: Address
}

export function addDefaultRoute(socket: NetlinkSocket, route: DefaultRoute): void {
  const flags = FLAG.create | FLAG.replace
  socket.request(message(RTM.newRoute, flags, routeHeader(route.family), routeAttributes(route)))
}

/** Every default route of a family; fine where there is none. */
export function deleteDefaultRoutes(socket: NetlinkSocket, family: Family): void {
  for (;;) {
    try {
      socket.request(message(RTM.deleteRoute, 0, routeHeader(family), []))
    } catch (error) {
      if (isErrno(error, 'ESRCH') || isErrno(error, 'EAFNOSUPPORT')) return
      throw error
    }
  }
}

function routeAttributes({ link, gateway }: DefaultRoute): readonly Buffer[] {
  return [numberAttribute(RTA.link, link), ...(gateway ? [addressAttribute(RTA.gateway, gateway)] : [])]
}

/** Waits for the kernel for milliseconds, off the main thread. Fine where it is gone already. */
export async function deleteLink(socket: NetlinkSocket, index: number): Promise<void> {
  try {
    await socket.requestAsync(message(RTM.deleteLink, 0, linkHeader(index), []))
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error
  }
}

function linkAttributes(link: LinkRequest): readonly Buffer[] {
  return [
    textAttribute(IFLA.name, link.name),
    ...(link.mac === undefined ? [] : [macAttribute(IFLA.address, link.mac)]),
    numberAttribute(IFLA.mtu, link.mtu),
  ]
}

function withNamespace(link: InnerLink | LinkRequest, work: (attributes: readonly Buffer[]) => void): void {
  if (!('namespace' in link)) return work([])
  const fd = openSync(link.namespace, 'r')
  try {
    work([numberAttribute(IFLA.netNsFd, fd)])
  } finally {
    closeSync(fd)
  }
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined)
}
