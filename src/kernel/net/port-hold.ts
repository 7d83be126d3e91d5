import { isIPv6 } from 'node:net'
import { checked, closeDescriptor, ffi, isErrno, libc } from '#kernel/call'
import { bindSocket, type InetPlace } from './inet-socket.ts'

const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const BPF_RETURN = 0x06

/**
 * Keeps a port of this network namespace from all other programs until disposed of, without serving it: what comes to it
 * is dropped, as if it had been lost. Throws as bind(2) does: EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT. Undefined
 * where the kernel does not know the protocol, so that nobody else can have the port either.
 */
export function holdPort(protocol: 'tcp' | 'udp' | 'sctp', place: InetPlace): Disposable | undefined {
  const fd = bound(protocol, place)
  if (fd === undefined) return undefined
  try {
    dropAll(fd)
    const facts = { call: 'listen at', path: isIPv6(place.address) ? `[${place.address}]` : place.address }
    if (protocol !== 'udp') checked(libc().listen(fd, 1), facts)
  } catch (error) {
    closeDescriptor(fd)
    throw error
  }
  return { [Symbol.dispose]: () => closeDescriptor(fd) }
}

function bound(protocol: 'tcp' | 'udp' | 'sctp', place: InetPlace): number | undefined {
  try {
    return bindSocket(protocol, place)
  } catch (error) {
    if (isErrno(error, 'EPROTONOSUPPORT') || isErrno(error, 'ESOCKTNOSUPPORT')) return undefined
    throw error
  }
}

/** A filter (sock_fprog) of one instruction that lets nothing in. */
function dropAll(fd: number): void {
  const instruction = Buffer.alloc(8)
  instruction.writeUInt16LE(BPF_RETURN)
  const program = Buffer.alloc(16)
  program.writeUInt16LE(1)
  program.writeBigUInt64LE(ffi().address(instruction), 8)
  const result = libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length)
  checked(result, { call: 'attach a filter to socket', path: String(fd) })
}
