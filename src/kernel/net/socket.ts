import { readdirSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { internal, invalid, throwIfCancelled } from '#base'
import {
  checked,
  closeDescriptor,
  ffi,
  libc,
  NUMBER,
  O_CLOEXEC,
  setNonBlocking,
  systemCallError,
  watch,
} from '#kernel/call'
import { openPidfd } from '#kernel/process'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_SEQPACKET = 5
const SHUT_WR = 1
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const SO_TYPE = 3
const SO_PEERCRED = 17
const SO_SNDBUFFORCE = 32
const MSG_CMSG_CLOEXEC = 0x40000000
const TIOCSWINSZ = 0x5414

/** sun_path holds 108 bytes with its NUL. */
const PATH_LIMIT = 107

/**
 * Connects to a SOCK_SEQPACKET unix socket, as conmon's attach socket is: each chunk of `readDescriptor` is one packet, each
 * short `writeDescriptor` makes one. Never waits: EAGAIN where the listener does not take its callers. The caller closes it.
 */
export function connectSeqpacket(path: string): number {
  const fd = openSocket(SOCK_SEQPACKET)
  return keptIf(fd, () => {
    const address = unixAddress(path)
    setNonBlocking(fd)
    checked(libc().connect(fd, address, address.length), { call: 'connect to socket', path })
  })
}

/**
 * Lets the program at the other end of a SOCK_SEQPACKET unix socket be about `bytes` ahead of its reader, where it has 208 KiB
 * otherwise: how much is in flight is a matter of the sender's socket alone. Nothing happens where that is not permitted.
 */
export function widenPeer(fd: number, bytes: number): void {
  try {
    const pid = peerOf(fd)
    const process = openPidfd(pid)
    try {
      for (const theirs of socketsOf(pid)) widen(process, theirs, bytes)
    } finally {
      closeDescriptor(process)
    }
  } catch {
    // Gone, or another's.
  }
}

/** The process that listens, or listened, at the other end. */
function peerOf(fd: number): number {
  const [credentials, length] = [Buffer.alloc(12), Buffer.alloc(4)]
  length.writeUInt32LE(credentials.length)
  checked(libc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length), { call: 'look at peer of socket' })
  return credentials.readInt32LE(0)
}

function socketsOf(pid: number): readonly number[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder)
    .filter((name) => isSocket(`${folder}/${name}`))
    .map(Number)
}

/** False for one that was closed meanwhile. */
function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:')
  } catch {
    return false
  }
}

/** The kernel counts a packet of 8 KiB as 16, and gives twice what it is asked for. */
function widen(process: number, theirs: number, bytes: number): void {
  const fd = libc().pidfdGetfd(NUMBER.pidfdGetfd, process, theirs, 0)
  if (fd < 0) return
  try {
    const [number, length] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32LE(number.length)
    libc().getsockopt(fd, SOL_SOCKET, SO_TYPE, number, length)
    if (number.readInt32LE(0) !== SOCK_SEQPACKET) return
    number.writeInt32LE(bytes)
    libc().setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, number, number.length)
  } finally {
    closeDescriptor(fd)
  }
}

/** No more will be written to a socket: its peer reads an end, and can still answer. */
export function shutdownWrite(fd: number): void {
  checked(libc().shutdown(fd, SHUT_WR), { call: 'end writing to socket', path: String(fd) })
}

/** A unix socket at which a program hands over one descriptor, as a runtime does with the master of a terminal. */
export interface DescriptorListener extends Disposable {
  /** Waits for it; the caller closes it. Kind `cancelled` where none was sent before the signal was aborted. */
  receive(signal?: AbortSignal): Promise<number>
}

/** Listens at `path` for one program that sends a descriptor (SCM_RIGHTS). The socket's file stays the caller's to remove. */
export function listenForDescriptor(path: string): DescriptorListener {
  const fd = openSocket(SOCK_STREAM)
  keptIf(fd, () => {
    const address = unixAddress(path)
    checked(libc().bind(fd, address, address.length), { call: 'bind socket', path })
    checked(libc().listen(fd, 1), { call: 'listen at socket', path })
    setNonBlocking(fd)
  })
  return {
    async receive(signal) {
      const peer = await whenReady(fd, () => libc().accept4(fd, null, null, O_CLOEXEC), signal)
      try {
        setNonBlocking(peer)
        return await receiveDescriptor(peer, signal)
      } finally {
        closeDescriptor(peer)
      }
    },
    [Symbol.dispose]: () => closeDescriptor(fd),
  }
}

/** Sets rows and columns of a terminal by its master. */
export function setTerminalSize(fd: number, rows: number, columns: number): void {
  const size = Buffer.alloc(8)
  size.writeUInt16LE(rows, 0)
  size.writeUInt16LE(columns, 2)
  checked(libc().ioctl(fd, TIOCSWINSZ, size), { call: 'set the size of terminal', path: String(fd) })
}

function openSocket(type: number): number {
  return checked(libc().socket(AF_UNIX, type | O_CLOEXEC, 0), { call: 'open unix socket' })
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

function unixAddress(path: string): Buffer {
  const name = Buffer.from(path)
  if (name.length > PATH_LIMIT) throw invalid(`cannot use socket ${path}: its path is longer than ${PATH_LIMIT} bytes`)
  const address = Buffer.alloc(2 + name.length + 1)
  address.writeUInt16LE(AF_UNIX, 0)
  name.copy(address, 2)
  return address
}

async function whenReady(fd: number, call: () => number, signal: AbortSignal | undefined): Promise<number> {
  using readable = watch(fd, 'readable', { signal })
  for (;;) {
    const result = call()
    if (result >= 0) return result
    const number = ffi().errno()
    if (number !== constants.errno.EAGAIN) throw systemCallError({ call: 'wait for a descriptor' }, number)
    throwIfCancelled(signal, 'wait for a descriptor')
    await readable.ready()
  }
}

/** One message of at most 256 bytes with one control message: cmsghdr (16 bytes) and a descriptor, padded to 24. */
async function receiveDescriptor(peer: number, signal: AbortSignal | undefined): Promise<number> {
  const [data, control, vector, header] = [Buffer.alloc(256), Buffer.alloc(24), Buffer.alloc(16), Buffer.alloc(56)]
  vector.writeBigUInt64LE(ffi().address(data), 0)
  vector.writeBigUInt64LE(BigInt(data.length), 8)
  header.writeBigUInt64LE(ffi().address(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(ffi().address(control), 32)
  header.writeBigUInt64LE(BigInt(control.length), 40)
  await whenReady(peer, () => libc().recvmsg(peer, header, MSG_CMSG_CLOEXEC), signal)
  if (control.readInt32LE(8) !== SOL_SOCKET || control.readInt32LE(12) !== SCM_RIGHTS) {
    throw internal('cannot take over a terminal: the runtime sent no descriptor')
  }
  return control.readInt32LE(16)
}
