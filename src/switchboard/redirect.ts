import {
  netfilterMessage,
  netfilterNested as nested,
  netlinkAttribute as attribute,
  netlinkText as text,
  openNetlink,
} from '#kernel'

const NETLINK_NETFILTER = 12
const SUBSYSTEM = 10 << 8
const MESSAGE = { newTable: 0, newChain: 3, newRule: 6, getRule: 7, deleteRule: 8 } as const
const CREATE = 0x400
const APPEND = 0x800
const DUMP = 0x300
const IPV4 = 2

const TABLE = 'mica-names'
const LOCAL_OUT = 3
/** Answers are renamed before connection tracking looks (-200), questions behind it: a tracker sees port 53 both ways. */
const CHAINS = { answers: -300, questions: -50 } as const

const PROTOCOLS = [
  { number: 6, checksum: 16 },
  { number: 17, checksum: 6 },
] as const
const NETWORK_BASE = 1
const TRANSPORT_BASE = 2
const SOURCE = { address: 12, port: 0 } as const
const DESTINATION = { address: 16, port: 2 } as const
const META_PROTOCOL = 16
const REGISTER = 1

export interface NamePorts {
  readonly tcp: number
  readonly udp: number
}

/**
 * In the network namespace of the calling thread: what goes to `address` port 53 arrives at `ports`, and what comes from
 * there says that it comes from 53. By rewriting ports only, without connection tracking. So a server of the container can
 * listen at port 53 of all its addresses. Rules that a predecessor left stay where they are right: taking some away waits
 * for the kernel.
 */
export function redirectNames(address: Uint8Array, ports: NamePorts): void {
  using netfilter = openNetlink(NETLINK_NETFILTER)
  const rules = PROTOCOLS.flatMap((protocol) => {
    const port = protocol.number === 6 ? ports.tcp : ports.udp
    return [
      rule('questions', rewrite({ protocol, address, side: DESTINATION, from: 53, to: port })),
      rule('answers', rewrite({ protocol, address, side: SOURCE, from: port, to: 53 })),
    ]
  })
  const known = netfilter.request(message(MESSAGE.getRule, DUMP, [text(1, TABLE)]))
  if (known.length === rules.length && known.every((found) => leadsTo(found, ports))) return
  netfilter.transact([
    message(MESSAGE.newTable, CREATE, [text(1, TABLE)]),
    ...Object.entries(CHAINS).flatMap(([name, priority]) => [
      message(MESSAGE.newChain, CREATE, [
        text(1, TABLE),
        text(3, name),
        nested(4, number(1, LOCAL_OUT), number(2, priority)),
        text(7, 'filter'),
      ]),
      ...(known.length > 0 ? [message(MESSAGE.deleteRule, 0, [text(1, TABLE), text(2, name)])] : []),
    ]),
    ...rules,
  ])
}

function leadsTo(rule: Buffer, ports: NamePorts): boolean {
  return Object.values(ports).some((port) => rule.includes(attribute(1, portBytes(port))))
}

interface Rewrite {
  readonly protocol: (typeof PROTOCOLS)[number]
  readonly address: Uint8Array
  readonly side: typeof SOURCE | typeof DESTINATION
  readonly from: number
  readonly to: number
}

/** `ip daddr ADDRESS udp dport FROM udp dport set TO`, or the same of the source. */
function rewrite({ protocol, address, side, from, to }: Rewrite): readonly Buffer[] {
  return [
    load(NETWORK_BASE, side.address, 4),
    equals(address),
    expression('meta', number(2, META_PROTOCOL), number(1, REGISTER)),
    equals(Uint8Array.of(protocol.number)),
    load(TRANSPORT_BASE, side.port, 2),
    equals(portBytes(from)),
    expression('immediate', number(1, REGISTER), nested(2, attribute(1, portBytes(to)))),
    expression(
      'payload',
      number(5, REGISTER),
      number(2, TRANSPORT_BASE),
      number(3, side.port),
      number(4, 2),
      number(6, 1),
      number(7, protocol.checksum),
    ),
  ]
}

function load(base: number, offset: number, length: number): Buffer {
  return expression('payload', number(1, REGISTER), number(2, base), number(3, offset), number(4, length))
}

function equals(bytes: Uint8Array): Buffer {
  return expression('cmp', number(1, REGISTER), number(2, 0), nested(3, attribute(1, bytes)))
}

function expression(name: string, ...attributes: readonly Buffer[]): Buffer {
  return nested(1, text(1, name), nested(2, ...attributes))
}

function rule(chain: keyof typeof CHAINS, expressions: readonly Buffer[]): Buffer {
  return message(MESSAGE.newRule, CREATE | APPEND, [text(1, TABLE), text(2, chain), nested(4, ...expressions)])
}

function message(type: number, flags: number, attributes: readonly Buffer[]): Buffer {
  return netfilterMessage({ type: SUBSYSTEM | type, flags, family: IPV4 }, attributes)
}

/** 32 bits in network byte order. */
function number(type: number, value: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeInt32BE(value)
  return attribute(type, payload)
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff)
}
