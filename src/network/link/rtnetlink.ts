import {
  netlinkAttribute as attribute,
  netlinkMessage,
  type NetlinkSocket,
  openNetlink,
  readNetlinkAttributes as readAttributes,
} from '#kernel'
import { type Address, addressBytes, addressOf, type Block, type Family } from './address.ts'

/** Messages of rtnetlink(7) as bytes; only what bridges, veth pairs and the links of macvlan and ipvlan take. */
const NETLINK_ROUTE = 0
export const RTM = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
} as const
export const FLAG = { create: 0x400, exclusive: 0x200, replace: 0x100, dump: 0x300 } as const
export const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  protocolInfo: 12,
  linkInfo: 18,
  familySpec: 26,
  netNsFd: 28,
} as const
/** What a bridge knows of a port. */
export const PORT = { state: 1, hairpin: 4, flush: 24 } as const
/** Of IFLA_AF_SPEC for IPv6. */
export const INET6 = { addressMode: 8 } as const
export const INFO = { kind: 1, data: 2 } as const
export const VETH_PEER = 1
export const IFA = { address: 1, local: 2, broadcast: 4 } as const
export const RTA = { destination: 1, link: 4, gateway: 5, table: 15 } as const
const AF_INET = 2
export const AF_INET6 = 10
export const AF_BRIDGE = 7
export const UP = 1

const HEADER = 16
const LINK_HEADER = 16
const ADDRESS_HEADER = 8
const ROUTE_HEADER = 12

/** A route and link socket in the network namespace of the calling thread. */
export function openRoutes(): NetlinkSocket {
  return openNetlink(NETLINK_ROUTE)
}

export function message(type: number, flags: number, header: Uint8Array, attributes: readonly Uint8Array[]): Buffer {
  return netlinkMessage({ type, flags }, header, attributes)
}

/** ifinfomsg. */
export function linkHeader(index = 0, flags = 0, change = 0, family = 0): Buffer {
  const header = Buffer.alloc(LINK_HEADER)
  header.writeUInt8(family, 0)
  header.writeInt32LE(index, 4)
  header.writeUInt32LE(flags, 8)
  header.writeUInt32LE(change, 12)
  return header
}

/** Nobody else has it: it is not asked for before it is used. */
const NO_DUPLICATE_DETECTION = 0x02

/** ifaddrmsg; without a block, of all families. */
export function addressHeader(index = 0, block?: Block): Buffer {
  const header = Buffer.alloc(ADDRESS_HEADER)
  header.writeUInt32LE(index, 4)
  if (!block) return header
  header.writeUInt8(familyNumber(block.family), 0)
  header.writeUInt8(block.prefix, 1)
  header.writeUInt8(block.family === 6 ? NO_DUPLICATE_DETECTION : 0, 2)
  return header
}

const TABLE_MAIN = 254
const PROTOCOL_BOOT = 3
const TYPE_UNICAST = 1

/** rtmsg of a default route of the main table; without a family, of all. */
export function routeHeader(family?: Family): Buffer {
  const header = Buffer.alloc(ROUTE_HEADER)
  header.set([family ? familyNumber(family) : 0, 0, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, 0, TYPE_UNICAST])
  return header
}

/** 32 bits in the byte order of the machine. */
export function numberAttribute(type: number, value: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(value)
  return attribute(type, payload)
}

export function byteAttribute(type: number, value: number): Buffer {
  return attribute(type, Buffer.from([value]))
}

/** 16 bits in the byte order of the machine. */
export function shortAttribute(type: number, value: number): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16LE(value)
  return attribute(type, payload)
}

export function addressAttribute(type: number, address: Address): Buffer {
  return attribute(type, addressBytes(address))
}

function familyNumber(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6
}

function knownFamily(number: number): boolean {
  return number === AF_INET || number === AF_INET6
}

export function macAttribute(type: number, mac: string): Buffer {
  return attribute(type, Buffer.from(mac.replaceAll(':', ''), 'hex'))
}

export interface LinkFacts {
  readonly index: number
  readonly name: string
  readonly up: boolean
  readonly mtu: number
  /** «bridge», «veth»; absent for plain devices. */
  readonly kind?: string
  /** The kind's own settings. */
  readonly data: ReadonlyMap<number, Buffer>
  readonly mac: string
  /** Index of the link that it stands on: of a VLAN its parent. */
  readonly lower?: number
  /** Index of the bridge that it is a port of. */
  readonly master?: number
}

/** An RTM_NEWLINK reply. */
export function readLink(reply: Buffer): LinkFacts {
  const attributes = readAttributes(reply, HEADER + LINK_HEADER)
  const info = attributes.get(IFLA.linkInfo)
  const kind = info && readAttributes(info, 0).get(INFO.kind)
  const data = info && readAttributes(info, 0).get(INFO.data)
  const master = attributes.get(IFLA.master)
  const lower = attributes.get(IFLA.link)
  return {
    index: reply.readInt32LE(HEADER + 4),
    name: readText(attributes.get(IFLA.name)),
    up: (reply.readUInt32LE(HEADER + 8) & UP) !== 0,
    mtu: attributes.get(IFLA.mtu)?.readUInt32LE() ?? 0,
    mac:
      attributes
        .get(IFLA.address)
        ?.toString('hex')
        .replaceAll(/(..)(?=.)/g, '$1:') ?? '',
    data: data ? readAttributes(data, 0) : new Map(),
    ...(kind ? { kind: readText(kind) } : {}),
    ...(lower ? { lower: lower.readUInt32LE() } : {}),
    ...(master ? { master: master.readUInt32LE() } : {}),
  }
}

export interface AddressFacts extends Block {
  readonly index: number
}

/** An RTM_NEWADDR reply; undefined where it is no IP address. */
export function readAddress(reply: Buffer): AddressFacts | undefined {
  const attributes = readAttributes(reply, HEADER + ADDRESS_HEADER)
  const bytes = attributes.get(IFA.local) ?? attributes.get(IFA.address)
  if (bytes === undefined || !knownFamily(reply.readUInt8(HEADER))) return undefined
  return { ...addressOf(bytes), index: reply.readUInt32LE(HEADER + 4), prefix: reply.readUInt8(HEADER + 1) }
}

export interface RouteFacts {
  /** Of length 0 for the default route. */
  readonly destination: Block
  readonly index: number | undefined
}

/** An RTM_NEWROUTE reply of the main table; undefined for other tables and protocols. */
export function readRoute(reply: Buffer): RouteFacts | undefined {
  const attributes = readAttributes(reply, HEADER + ROUTE_HEADER)
  const table = attributes.get(RTA.table)?.readUInt32LE() ?? reply.readUInt8(HEADER + 4)
  const family = reply.readUInt8(HEADER)
  if (table !== TABLE_MAIN || !knownFamily(family)) return undefined
  const bytes = attributes.get(RTA.destination) ?? Buffer.alloc(family === AF_INET ? 4 : 16)
  return {
    destination: { ...addressOf(bytes), prefix: reply.readUInt8(HEADER + 1) },
    index: attributes.get(RTA.link)?.readUInt32LE(),
  }
}

function readText(bytes: Buffer | undefined): string {
  return bytes?.toString('utf8', 0, bytes.length - 1) ?? ''
}
