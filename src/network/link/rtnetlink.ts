import { type NetlinkSocket, openNetlink } from '#kernel'

/** Messages of rtnetlink(7) as bytes; only what bridges and veth pairs take. */
const NETLINK_ROUTE = 0
export const RTM = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  getRoute: 26,
} as const
export const FLAG = { create: 0x400, exclusive: 0x200, replace: 0x100, dump: 0x300 } as const
export const IFLA = { address: 1, name: 3, mtu: 4, master: 10, linkInfo: 18, netNsFd: 28 } as const
export const INFO = { kind: 1, data: 2 } as const
export const VETH_PEER = 1
export const IFA = { address: 1, local: 2, broadcast: 4 } as const
export const RTA = { destination: 1, link: 4, gateway: 5, table: 15 } as const
const AF_INET = 2
export const UP = 1

const HEADER = 16
const LINK_HEADER = 16
const ADDRESS_HEADER = 8
const ROUTE_HEADER = 12

/** A route and link socket in the network namespace of the calling thread. */
export function openRoutes(): NetlinkSocket {
  return openNetlink(NETLINK_ROUTE)
}

/** nlmsghdr, a fixed header, attributes. */
export function message(type: number, flags: number, header: Uint8Array, attributes: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(HEADER)
  head.writeUInt16LE(type, 4)
  head.writeUInt16LE(flags, 6)
  return Buffer.concat([head, header, ...attributes])
}

/** ifinfomsg. */
export function linkHeader(index = 0, flags = 0, change = 0): Buffer {
  const header = Buffer.alloc(LINK_HEADER)
  header.writeInt32LE(index, 4)
  header.writeUInt32LE(flags, 8)
  header.writeUInt32LE(change, 12)
  return header
}

/** ifaddrmsg. */
export function addressHeader(index = 0, prefix = 0): Buffer {
  const header = Buffer.alloc(ADDRESS_HEADER)
  header.writeUInt8(AF_INET, 0)
  header.writeUInt8(prefix, 1)
  header.writeUInt32LE(index, 4)
  return header
}

const TABLE_MAIN = 254
const PROTOCOL_BOOT = 3
const TYPE_UNICAST = 1

/** rtmsg of an IPv4 unicast route of the main table. */
export function routeHeader(prefix = 0): Buffer {
  const header = Buffer.alloc(ROUTE_HEADER)
  header.set([AF_INET, prefix, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, 0, TYPE_UNICAST])
  return header
}

/** One attribute, padded to four bytes. */
export function attribute(type: number, payload: Uint8Array): Buffer {
  const size = 4 + payload.length
  const bytes = Buffer.alloc((size + 3) & ~3)
  bytes.writeUInt16LE(size, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(payload, 4)
  return bytes
}

export function nested(type: number, ...attributes: readonly Uint8Array[]): Buffer {
  return attribute(type, Buffer.concat(attributes))
}

export function textAttribute(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`))
}

/** 32 bits in the byte order of the machine. */
export function numberAttribute(type: number, value: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(value)
  return attribute(type, payload)
}

/** 32 bits in network byte order. */
export function addressAttribute(type: number, address: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(address)
  return attribute(type, payload)
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
  /** Index of the bridge that it is a port of. */
  readonly master?: number
}

/** An RTM_NEWLINK reply. */
export function readLink(reply: Buffer): LinkFacts {
  const attributes = readAttributes(reply, HEADER + LINK_HEADER)
  const info = attributes.get(IFLA.linkInfo)
  const kind = info && readAttributes(info, 0).get(INFO.kind)
  const master = attributes.get(IFLA.master)
  return {
    index: reply.readInt32LE(HEADER + 4),
    name: readText(attributes.get(IFLA.name)),
    up: (reply.readUInt32LE(HEADER + 8) & UP) !== 0,
    mtu: attributes.get(IFLA.mtu)?.readUInt32LE() ?? 0,
    ...(kind ? { kind: readText(kind) } : {}),
    ...(master ? { master: master.readUInt32LE() } : {}),
  }
}

export interface AddressFacts {
  readonly index: number
  readonly address: number
  readonly prefix: number
}

/** An RTM_NEWADDR reply; undefined where it is not an IPv4 address. */
export function readAddress(reply: Buffer): AddressFacts | undefined {
  const attributes = readAttributes(reply, HEADER + ADDRESS_HEADER)
  const address = (attributes.get(IFA.local) ?? attributes.get(IFA.address))?.readUInt32BE()
  if (address === undefined || reply.readUInt8(HEADER) !== AF_INET) return undefined
  return { index: reply.readUInt32LE(HEADER + 4), prefix: reply.readUInt8(HEADER + 1), address }
}

export interface RouteFacts {
  /** 0/0 for the default route. */
  readonly destination: { readonly address: number; readonly prefix: number }
  readonly index: number | undefined
}

/** An RTM_NEWROUTE reply of the main table; undefined for other tables and families. */
export function readRoute(reply: Buffer): RouteFacts | undefined {
  const attributes = readAttributes(reply, HEADER + ROUTE_HEADER)
  const table = attributes.get(RTA.table)?.readUInt32LE() ?? reply.readUInt8(HEADER + 4)
  if (table !== TABLE_MAIN || reply.readUInt8(HEADER) !== AF_INET) return undefined
  const address = attributes.get(RTA.destination)?.readUInt32BE() ?? 0
  return {
    destination: { address, prefix: reply.readUInt8(HEADER + 1) },
    index: attributes.get(RTA.link)?.readUInt32LE(),
  }
}

const TYPE_MASK = 0x3fff

function readAttributes(bytes: Buffer, from: number): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = from; at + 4 <= bytes.length;) {
    const size = bytes.readUInt16LE(at)
    if (size < 4 || at + size > bytes.length) break
    found.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, bytes.subarray(at + 4, at + size))
    at += (size + 3) & ~3
  }
  return found
}

function readText(bytes: Buffer | undefined): string {
  return bytes?.toString('utf8', 0, bytes.length - 1) ?? ''
}
