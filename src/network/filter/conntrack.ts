import { networkInterfaces } from 'node:os'
import {
  addressBytes,
  isErrno,
  netfilterMessage as message,
  netfilterNested as nested,
  netlinkAttribute as attribute,
  type NetlinkSocket,
  readNetlinkAttributes as attributesOf,
} from '#kernel'
import type { HostPort } from './types.ts'

/** Messages of ctnetlink (linux/netfilter/nfnetlink_conntrack.h). */
const GET = (1 << 8) | 1
const DELETE = (1 << 8) | 2
const DUMP = 0x300
const CTA = { tupleOrig: 1, zone: 18, filter: 25 } as const
const TUPLE = { ip: 1, proto: 2 } as const
/** The destination's address, by family. */
const DESTINATION = { 2: 2, 10: 4 } as const
const PROTO = { number: 1, destinationPort: 3 } as const
const FILTER_ORIG = 1
/** Of the filter: the protocol's number and the destination's port must be the same. */
const FILTER_FLAGS = (1 << 3) | (1 << 5)
const FAMILIES = [2, 10] as const
const NUMBERS = { udp: 17, sctp: 132 } as const
const MISSING = ['EINVAL', 'EOPNOTSUPP', 'ENOENT', 'EPERM', 'EAFNOSUPPORT'] as const

/**
 * Forgets the flows to these ports of the host; those to the same port elsewhere go on. One without connections would go on to where it went before, as long as
 * its sender does not pause: to nobody, or past a container that has the port since. Fine where the kernel cannot.
 * `socket`: of NETLINK_NETFILTER, in nobody else's use; one that stays open, for closing waits for what nftables has to clear
 * away. The kernel looks through all flows for tens of milliseconds, off the main thread.
 */
export async function forgetFlows(
  socket: NetlinkSocket,
  ports: readonly Pick<HostPort, 'protocol' | 'hostPort' | 'hostIp'>[],
): Promise<void> {
  const wanted = ports.filter(({ protocol }) => protocol !== 'tcp')
  if (wanted.length === 0) return
  try {
    for (const { protocol, hostPort, hostIp } of wanted) {
      const proto = NUMBERS[protocol === 'sctp' ? 'sctp' : 'udp']
      const leadsHere = addressedTo(hostIp)
      for (const family of FAMILIES) await forgetFlow(socket, { family, proto, port: hostPort, leadsHere })
    }
  } catch (error) {
    if (!MISSING.some((errno) => isErrno(error, errno))) throw error
  }
}

interface Flow {
  readonly family: (typeof FAMILIES)[number]
  readonly proto: number
  readonly port: number
  readonly leadsHere: (address: Buffer) => boolean
}

/** What is sent to an address of the host, or to any of its addresses where it is none in particular. */
function addressedTo(hostIp: string): Flow['leadsHere'] {
  const bytes = addressBytes(hostIp)
  if (bytes.some((byte) => byte !== 0)) return (address) => address.equals(bytes)
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => addressBytes(address))
  return (address) => (address.length === 4 && address[0] === LOOPBACK) || own.some((one) => address.equals(one))
}

const LOOPBACK = 127

async function forgetFlow(socket: NetlinkSocket, flow: Flow): Promise<void> {
  const proto = nested(
    TUPLE.proto,
    attribute(PROTO.number, Buffer.from([flow.proto])),
    attribute(PROTO.destinationPort, bigEndian16(flow.port)),
  )
  const flags = Buffer.alloc(4)
  flags.writeUInt32LE(FILTER_FLAGS)
  const asked = [nested(CTA.tupleOrig, proto), nested(CTA.filter, attribute(FILTER_ORIG, flags))]
  for (const reply of await socket.requestAsync(message({ type: GET, flags: DUMP, family: flow.family }, asked))) {
    const found = attributesOf(reply, 20)
    const tuple = found.get(CTA.tupleOrig)
    if (!tuple || !isFlow(tuple, flow)) continue
    const zone = found.get(CTA.zone)
    const attributes = [nested(CTA.tupleOrig, tuple), ...(zone ? [attribute(CTA.zone, zone)] : [])]
    remove(socket, message({ type: DELETE, flags: 0, family: flow.family }, attributes))
  }
}

/** An older kernel does not filter by the port, and none by the address. */
function isFlow(tuple: Buffer, { family, proto, port, leadsHere }: Flow): boolean {
  const parts = attributesOf(tuple, 0)
  const facts = attributesOf(parts.get(TUPLE.proto) ?? NONE, 0)
  if (facts.get(PROTO.number)?.[0] !== proto || facts.get(PROTO.destinationPort)?.readUInt16BE() !== port) return false
  return leadsHere(attributesOf(parts.get(TUPLE.ip) ?? NONE, 0).get(DESTINATION[family]) ?? NONE)
}

const NONE = Buffer.alloc(0)

function remove(socket: NetlinkSocket, request: Buffer): void {
  try {
    socket.request(request)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

function bigEndian16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
