import { constants } from 'node:os'
import { isIPv6 } from 'node:net'
import { checked, closeDescriptor, ffi, libc, O_CLOEXEC, setNonBlocking, systemCallError } from '#kernel/call'

const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_RCVBUFFORCE = 33
/** A burst of datagrams is kept until we come to it, beyond what the machine gives by default. Bytes. */
const RECEIVE_BUFFER = 1 << 20
const IPPROTO_IPV6 = 41
const IPPROTO_SCTP = 132
const IPV6_V6ONLY = 26

export interface InetPlace {
  /** IPv4 or IPv6, without a zone. */
  readonly address: string
  /** 0: the kernel chooses. */
  readonly port: number
}

/**
 * A socket bound to a place, in the network namespace of the calling thread, where it stays: for `dgram.bind({ fd })` and
 * `net.listen({ fd })`. An IPv6 socket takes no IPv4. Throws with errno EADDRINUSE where somebody else has the place.
 */
export function bindInetSocket(kind: 'tcp' | 'udp', place: InetPlace): number {
  return bindSocket(kind, place)
}

/** As bindInetSocket(), of SCTP too. */
export function bindSocket(kind: SocketKind, place: InetPlace): number {
  const fd = openSocket(kind, place)
  return keptIf(fd, () => {
    // Of a listener only: connections that have ended do not hold the port.
    if (kind === 'udp') setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    else setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (isIPv6(place.address)) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    const address = inetAddress(place)
    checked(libc().bind(fd, address, address.length), { call: 'bind socket', path: placeText(place) })
  })
}

/** A TCP socket that is being connected to a place, out of the namespace of the calling thread; never waits. */
export function connectInetSocket(place: InetPlace): number {
  const fd = openSocket('tcp', place)
  return keptIf(fd, () => {
    const address = inetAddress(place)
    if (libc().connect(fd, address, address.length) === 0) return
    const number = ffi().errno()
    if (number !== constants.errno.EINPROGRESS)
      throw systemCallError({ call: 'connect socket to', path: placeText(place) }, number)
  })
}

type SocketKind = 'tcp' | 'udp' | 'sctp'

function openSocket(kind: SocketKind, { address }: InetPlace): number {
  const family = isIPv6(address) ? AF_INET6 : AF_INET
  const type = (kind === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | O_CLOEXEC
  const fd = checked(libc().socket(family, type, kind === 'sctp' ? IPPROTO_SCTP : 0), { call: `open ${kind} socket` })
  return keptIf(fd, () => setNonBlocking(fd))
}

function keptIf(fd: number, prepare: () => void): number {
  try {
    prepare()
    return fd
  } catch (error) {
    closeDescriptor(fd)
    throw error
  }
}

// oxlint-disable-next-line eslint/max-params -- as setsockopt(2)
function setOption(fd: number, level: number, option: number, value: number): void {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  const facts = { call: 'set an option of socket', path: String(fd) }
  checked(libc().setsockopt(fd, level, option, bytes, bytes.length), facts)
}

/** sockaddr_in, sockaddr_in6. */
function inetAddress({ address, port }: InetPlace): Buffer {
  const six = isIPv6(address)
  const bytes = Buffer.alloc(six ? 28 : 16)
  bytes.writeUInt16LE(six ? AF_INET6 : AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(addressBytes(address), six ? 8 : 4)
  return bytes
}

/** The four or sixteen bytes of an address in text form. */
export function addressBytes(address: string): Uint8Array {
  if (!isIPv6(address)) return Uint8Array.from(address.split('.'), Number)
  const [head = '', tail] = plainGroups(address).split('::')
  const [before, after] = [groupsOf(head), groupsOf(tail ?? '')]
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array.from({ length: zeros }, () => 0), ...after]
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

function groupsOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}

/** An IPv4 address at the end as two groups («::ffff:10.0.0.1»). */
function plainGroups(address: string): string {
  const last = address.slice(address.lastIndexOf(':') + 1)
  if (!last.includes('.')) return address
  const [a = 0, b = 0, c = 0, d = 0] = last.split('.').map(Number)
  return `${address.slice(0, -last.length)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

function placeText({ address, port }: InetPlace): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}
