import { isErrno, type NetlinkSocket } from '#kernel'
import type { HostPort } from './types.ts'

/** Messages of ctnetlink (linux/netfilter/nfnetlink_conntrack.h). */
const GET = (1 << 8) | 1
const DELETE = (1 << 8) | 2
const DUMP = 0x300
const NESTED = 0x8000
const CTA = { tupleOrig: 1, zone: 18, filter: 25 } as const
const TUPLE_PROTO = 2
const PROTO = { number: 1, destinationPort: 3 } as const
const FILTER_ORIG = 1
/** Of the filter: the protocol's number and the destination's port must be the same. */
const FILTER_FLAGS = (1 << 3) | (1 << 5)
const FAMILIES = [2, 10] as const
const NUMBERS = { udp: 17, sctp: 132 } as const
const MISSING = ['EINVAL', 'EOPNOTSUPP', 'ENOENT', 'EPERM', 'EAFNOSUPPORT'] as const

/**
 * Forgets the flows to these ports of the host. One without connections would go on to where it went before, as long as
 * its sender does not pause: to nobody, or past a container that has the port since. Fine where the kernel cannot.
 * `socket`: of NETLINK_NETFILTER, in nobody else's use; one that stays open, for closing waits for what nftables has to clear
 * away. The kernel looks through all flows for tens of milliseconds, off the main thread.
 */
export async function forgetFlows(
  socket: NetlinkSocket,
  ports: readonly Pick<HostPort, 'protocol' | 'hostPort'>[],
): Promise<void> {
  const wanted = ports.filter(({ protocol }) => protocol !== 'tcp')
  if (wanted.length === 0) return
  try {
    for (const { protocol, hostPort } of wanted) {
      const proto = NUMBERS[protocol === 'sctp' ? 'sctp' : 'udp']
      for (const family of FAMILIES) await forgetFlow(socket, { family, proto, port: hostPort })
    }
  } catch (error) {
    if (!MISSING.some((errno) => isErrno(error, errno))) throw error
  }
}

interface Flow {
  readonly family: number
  readonly proto: number
  readonly port: number
}

async function forgetFlow(socket: NetlinkSocket, flow: Flow): Promise<void> {
  const proto = nested(
    TUPLE_PROTO,
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
    const attributes = [attribute(CTA.tupleOrig | NESTED, tuple), ...(zone ? [attribute(CTA.zone, zone)] : [])]
    remove(socket, message({ type: DELETE, flags: 0, family: flow.family }, attributes))
  }
}

/** An older kernel does not filter. */
function isFlow(tuple: Buffer, { proto, port }: Flow): boolean {
  const facts = attributesOf(attributesOf(tuple, 0).get(TUPLE_PROTO) ?? Buffer.alloc(0), 0)
  return facts.get(PROTO.number)?.[0] === proto && facts.get(PROTO.destinationPort)?.readUInt16BE() === port
}

function remove(socket: NetlinkSocket, request: Buffer): void {
  try {
    socket.request(request)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** nlmsghdr, nfgenmsg, attributes. */
function message(
  head: { readonly type: number; readonly flags: number; readonly family: number },
  attributes: readonly Buffer[],
): Buffer {
  const bytes = Buffer.alloc(20)
  bytes.writeUInt16LE(head.type, 4)
  bytes.writeUInt16LE(head.flags, 6)
  bytes.writeUInt8(head.family, 16)
  return Buffer.concat([bytes, ...attributes])
}

function attribute(type: number, payload: Uint8Array): Buffer {
  const size = 4 + payload.length
  const bytes = Buffer.alloc((size + 3) & ~3)
  bytes.writeUInt16LE(size, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(payload, 4)
  return bytes
}

function nested(type: number, ...attributes: readonly Buffer[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(attributes))
}

function bigEndian16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function attributesOf(bytes: Buffer, from: number): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = from; at + 4 <= bytes.length;) {
    const size = bytes.readUInt16LE(at)
    if (size < 4 || at + size > bytes.length) break
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + size))
    at += (size + 3) & ~3
  }
  return found
}
