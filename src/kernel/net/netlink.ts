import { checked, checkedAsync, closeDescriptor, libc, O_CLOEXEC, systemCallError } from '#kernel/call'
import type { NetlinkSocket } from './types.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOL_NETLINK = 270
const NETLINK_EXT_ACK = 11
const HEADER = 16
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const F_REQUEST = 0x1
const F_ACK = 0x4
const F_DUMP = 0x300
/** Flags of an error reply: the request is not repeated in it; attributes follow. */
const F_CAPPED = 0x100
const F_ACK_TLVS = 0x200
const ATTR_MESSAGE = 1
const BATCH_BEGIN = 16
const BATCH_END = 17
const SUBSYSTEM_NFTABLES = 10

/** More than the kernel ever puts into one datagram of a dump. */
const ROOM = 256 * 1024

/** A socket of a netlink protocol (0: routes and links) in the network namespace of the calling thread. */
export function openNetlink(protocol: number): NetlinkSocket {
  const facts = { call: 'open netlink socket' }
  const fd = checked(libc().socket(AF_NETLINK, SOCK_RAW | O_CLOEXEC, protocol), facts)
  const one = Buffer.alloc(4)
  one.writeInt32LE(1)
  checked(libc().setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, one, one.length), facts)
  let sequence = 0
  const prepare = (message: Uint8Array): Buffer => {
    const sent = Buffer.from(message)
    sequence += 1
    const flags = sent.readUInt16LE(6) | F_REQUEST
    sent.writeUInt32LE(sent.length, 0)
    sent.writeUInt16LE((flags & F_DUMP) === F_DUMP ? flags : flags | F_ACK, 6)
    sent.writeUInt32LE(sequence, 8)
    return sent
  }
  return {
    request(message) {
      const sent = prepare(message)
      checked(libc().send(fd, sent, sent.length, 0), { call: 'send netlink message' })
      return replies(fd, sent)
    },
    async requestAsync(message) {
      const sent = prepare(message)
      await checkedAsync(libc().send, [fd, sent, sent.length, 0], { call: 'send netlink message' })
      return (sent.readUInt16LE(6) & F_DUMP) === F_DUMP ? await repliesAside(fd, sent) : replies(fd, sent)
    },
    transact(messages) {
      const prepared = messages.map(prepare)
      const sent = Buffer.concat([batchMark(BATCH_BEGIN), ...prepared, batchMark(BATCH_END)])
      checked(libc().send(fd, sent, sent.length, 0), { call: 'send netlink messages' })
      for (const message of prepared) replies(fd, message)
    },
    [Symbol.dispose]: () => closeDescriptor(fd),
  }
}

/** nlmsghdr and nfgenmsg around a batch for nf_tables; they are not acknowledged. */
function batchMark(type: number): Buffer {
  const mark = Buffer.alloc(HEADER + 4)
  mark.writeUInt32LE(mark.length, 0)
  mark.writeUInt16LE(type, 4)
  mark.writeUInt16LE(F_REQUEST, 6)
  mark.writeUInt16BE(SUBSYSTEM_NFTABLES, HEADER + 2)
  return mark
}

/** The kernel answers while it takes the message, so nothing here waits. */
function replies(fd: number, request: Buffer): readonly Buffer[] {
  const found: Buffer[] = []
  const buffer = Buffer.allocUnsafe(ROOM)
  for (;;) {
    const size = checked(libc().recv(fd, buffer, ROOM, 0), { call: 'read netlink replies' })
    if (takeReplies(buffer.subarray(0, size), request, found)) return found
  }
}

/** The kernel looks through its table while it is read. */
async function repliesAside(fd: number, request: Buffer): Promise<readonly Buffer[]> {
  const found: Buffer[] = []
  const buffer = Buffer.allocUnsafe(ROOM)
  for (;;) {
    const size = await checkedAsync(libc().recv, [fd, buffer, ROOM, 0], { call: 'read netlink replies' })
    if (takeReplies(buffer.subarray(0, size), request, found)) return found
  }
}

/** Adds the answers of a datagram; true where it was the last. Throws the error that the kernel answered. */
function takeReplies(datagram: Buffer, request: Buffer, found: Buffer[]): boolean {
  for (const message of messages(datagram)) {
    if (message.readUInt32LE(8) !== request.readUInt32LE(8)) continue
    const type = message.readUInt16LE(4)
    if (type === NLMSG_DONE) return true
    if (type === NLMSG_ERROR) {
      throwIfError(message)
      return true
    }
    found.push(Buffer.from(message))
  }
  return false
}

function* messages(datagram: Buffer): Iterable<Buffer> {
  for (let at = 0; at + HEADER <= datagram.length;) {
    const size = datagram.readUInt32LE(at)
    if (size < HEADER) return
    yield datagram.subarray(at, Math.min(at + size, datagram.length))
    at += (size + 3) & ~3
  }
}

function throwIfError(message: Buffer): void {
  const error = -message.readInt32LE(HEADER)
  if (error === 0) return
  throw systemCallError({ call: 'netlink request', text: () => kernelText(message) }, error)
}

/** The kernel's words behind an error reply (NLMSGERR_ATTR_MSG). */
function kernelText(message: Buffer): string | undefined {
  const flags = message.readUInt16LE(6)
  if ((flags & F_ACK_TLVS) === 0) return undefined
  const repeated = (flags & F_CAPPED) === 0 ? message.readUInt32LE(HEADER + 4) : HEADER
  for (let at = HEADER + 4 + ((repeated + 3) & ~3); at + 4 <= message.length;) {
    const size = message.readUInt16LE(at)
    if (size < 4) return undefined
    if (message.readUInt16LE(at + 2) === ATTR_MESSAGE) return message.toString('utf8', at + 4, at + size - 1)
    at += (size + 3) & ~3
  }
  return undefined
}
