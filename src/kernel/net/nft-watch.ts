import { checked, closeDescriptor, isErrno, libc, O_CLOEXEC, setNonBlocking, watch } from '#kernel/call'

const AF_NETLINK = 16
const SOCK_RAW = 3
const NETLINK_NETFILTER = 12
const SOL_NETLINK = 270
const ADD_MEMBERSHIP = 1
const GROUP_NFTABLES = 7
/** sockaddr_nl. */
const ADDRESS = 12
const HEADER = 16
const ROOM = 64 * 1024
/** Low bytes of the message types that tell of a set's elements, and of a transaction's end. */
const SET_ELEMENTS: ReadonlySet<number> = new Set([12, 14])
const NEW_GENERATION = 15
/** nfgenmsg. */
const FAMILY_HEADER = 4
const TYPE_MASK = 0x3fff

/** One transaction of somebody, this process too. */
export interface NftChange {
  /** The generation that it began; absent where the kernel lost news: anything may have changed. */
  readonly generation?: number
  readonly tables: readonly NftTableChange[]
}

export interface NftTableChange {
  readonly table: string
  /** Nothing but elements of sets. */
  readonly elements: boolean
}

/** Tells of all changes of nftables in the network namespace of the calling thread, until disposed of. */
export function watchNft(heard: (changes: readonly NftChange[]) => void): Disposable {
  const fd = checked(libc().socket(AF_NETLINK, SOCK_RAW | O_CLOEXEC, NETLINK_NETFILTER), {
    call: 'open netlink socket',
  })
  const address = Buffer.alloc(ADDRESS)
  address.writeUInt16LE(AF_NETLINK)
  // One without an address of its own is passed over.
  checked(libc().bind(fd, address, ADDRESS), { call: 'bind netlink socket' })
  const group = Buffer.alloc(4)
  group.writeInt32LE(GROUP_NFTABLES)
  checked(libc().setsockopt(fd, SOL_NETLINK, ADD_MEMBERSHIP, group, 4), { call: 'listen to nftables' })
  setNonBlocking(fd)
  const tables: NftTableChange[] = []
  const waiting = watch(fd, 'readable', { keepAlive: false })
  let over = false
  const follow = async (): Promise<void> => {
    for (;;) {
      await waiting.ready()
      if (over) break
      const changes = drain(fd, tables)
      if (changes.length > 0) heard(changes)
    }
    closeDescriptor(fd)
  }
  void follow()
  return {
    [Symbol.dispose]() {
      if (over) return
      over = true
      waiting[Symbol.dispose]()
    },
  }
}

/** `tables`: what was heard of a transaction whose end is still to come. */
function drain(fd: number, tables: NftTableChange[]): readonly NftChange[] {
  const buffer = Buffer.allocUnsafe(ROOM)
  const changes: NftChange[] = []
  for (;;) {
    try {
      const size = checked(libc().recv(fd, buffer, ROOM, 0), { call: 'read netlink news' })
      for (const { kind, attributes } of messagesIn(buffer.subarray(0, size))) {
        const first = attributeOf(attributes)
        if (kind !== NEW_GENERATION) tables.push({ table: textOf(first), elements: SET_ELEMENTS.has(kind) })
        else changes.push({ generation: first.readUInt32BE(), tables: tables.splice(0) })
      }
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return changes
      if (!isErrno(error, 'ENOBUFS')) throw error
      changes.push({ tables: tables.splice(0) })
    }
  }
}

function* messagesIn(datagram: Buffer): Iterable<{ readonly kind: number; readonly attributes: Buffer }> {
  for (let at = 0; at + HEADER <= datagram.length;) {
    const size = datagram.readUInt32LE(at)
    if (size < HEADER) return
    yield {
      kind: datagram.readUInt16LE(at + 4) & 0xff,
      attributes: datagram.subarray(at + HEADER + FAMILY_HEADER, at + size),
    }
    at += (size + 3) & ~3
  }
}

/** The attribute 1: of all kinds of messages the name of the table, of a generation its number. */
function attributeOf(attributes: Buffer): Buffer {
  for (let at = 0; at + 4 <= attributes.length;) {
    const size = attributes.readUInt16LE(at)
    if (size < 4) break
    if ((attributes.readUInt16LE(at + 2) & TYPE_MASK) === 1) return attributes.subarray(at + 4, at + size)
    at += (size + 3) & ~3
  }
  return Buffer.alloc(4)
}

function textOf(attribute: Buffer): string {
  return attribute.toString('utf8', 0, attribute.length - 1)
}
