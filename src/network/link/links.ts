import { closeSync, openSync } from 'node:fs'
import { isErrno, type NetlinkSocket } from '#kernel'
import { type Block, broadcastOf } from './address.ts'
import {
  addressAttribute,
  type AddressFacts,
  addressHeader,
  attribute,
  FLAG,
  IFA,
  IFLA,
  INFO,
  linkHeader,
  type LinkFacts,
  macAttribute,
  message,
  nested,
  numberAttribute,
  readAddress,
  readLink,
  readRoute,
  type RouteFacts,
  routeHeader,
  RTA,
  RTM,
  textAttribute,
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
  readonly mac: string
  readonly mtu: number
}

export function addBridge(socket: NetlinkSocket, bridge: LinkRequest): void {
  const attributes = [...linkAttributes(bridge), nested(IFLA.linkInfo, textAttribute(INFO.kind, 'bridge'))]
  socket.request(message(RTM.newLink, FLAG.create | FLAG.exclusive, linkHeader(), attributes))
}

export interface VethRequest {
  /** The end on the bridge, made up at once. */
  readonly name: string
  readonly mtu: number
  readonly master: number
  /** The end in the namespace that the file shows; still down. */
  readonly peer: LinkRequest & { readonly namespace: string }
}

export function addVeth(socket: NetlinkSocket, veth: VethRequest): void {
  const fd = openSync(veth.peer.namespace, 'r')
  try {
    const peer = [linkHeader(), ...linkAttributes(veth.peer), numberAttribute(IFLA.netNsFd, fd)]
    const data = nested(INFO.data, attribute(VETH_PEER, Buffer.concat(peer)))
    const attributes = [
      textAttribute(IFLA.name, veth.name),
      numberAttribute(IFLA.mtu, veth.mtu),
      numberAttribute(IFLA.master, veth.master),
      nested(IFLA.linkInfo, textAttribute(INFO.kind, 'veth'), data),
    ]
    socket.request(message(RTM.newLink, FLAG.create | FLAG.exclusive, linkHeader(0, UP, UP), attributes))
  } finally {
    closeSync(fd)
  }
}

export function setUp(socket: NetlinkSocket, index: number): void {
  socket.request(message(RTM.newLink, 0, linkHeader(index, UP, UP), []))
}

/** Makes a link a port of a bridge, and brings it up. */
export function setMaster(socket: NetlinkSocket, index: number, master: number): void {
  socket.request(message(RTM.newLink, 0, linkHeader(index, UP, UP), [numberAttribute(IFLA.master, master)]))
}

export function deleteAddress(socket: NetlinkSocket, { index, prefix, address }: AddressFacts): void {
  const attributes = [addressAttribute(IFA.local, address)]
  socket.request(message(RTM.deleteAddress, 0, addressHeader(index, prefix), attributes))
}

/** Fine where it is there already. */
export function addAddress(socket: NetlinkSocket, index: number, block: Block): void {
  const attributes = [
    addressAttribute(IFA.local, block.address),
    addressAttribute(IFA.address, block.address),
    addressAttribute(IFA.broadcast, broadcastOf(block)),
  ]
  socket.request(message(RTM.newAddress, FLAG.create | FLAG.replace, addressHeader(index, block.prefix), attributes))
}

export function addDefaultRoute(socket: NetlinkSocket, gateway: number): void {
  const attributes = [addressAttribute(RTA.gateway, gateway)]
  socket.request(message(RTM.newRoute, FLAG.create | FLAG.exclusive, routeHeader(), attributes))
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
    macAttribute(IFLA.address, link.mac),
    numberAttribute(IFLA.mtu, link.mtu),
  ]
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined)
}
