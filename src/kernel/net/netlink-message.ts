const HEADER = 16
/** A flag of an attribute's type, which netfilter asks for and rtnetlink does not. */
const NESTED = 0x8000
const TYPE_MASK = 0x3fff

interface MessageKind {
  readonly type: number
  /** Besides what the socket adds: that it is a request, and that it is to be acknowledged. */
  readonly flags: number
}

/** nlmsghdr, the fixed header of the protocol, attributes; length and sequence are the socket's to write. */
export function netlinkMessage(
  { type, flags }: MessageKind,
  header: Uint8Array,
  attributes: readonly Uint8Array[],
): Buffer {
  const head = Buffer.alloc(HEADER)
  head.writeUInt16LE(type, 4)
  head.writeUInt16LE(flags, 6)
  return Buffer.concat([head, header, ...attributes])
}

/** A message of a netfilter subsystem, with nfgenmsg; `family` is that of addresses (AF_INET, AF_INET6). */
export function netfilterMessage(
  { family, ...kind }: MessageKind & { readonly family: number },
  attributes: readonly Uint8Array[],
): Buffer {
  return netlinkMessage(kind, Uint8Array.of(family, 0, 0, 0), attributes)
}

/** One attribute, padded to four bytes. */
export function netlinkAttribute(type: number, payload: Uint8Array): Buffer {
  const size = 4 + payload.length
  const bytes = Buffer.alloc((size + 3) & ~3)
  bytes.writeUInt16LE(size, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(payload, 4)
  return bytes
}

/** Attributes in one, as rtnetlink has it. */
export function netlinkNested(type: number, ...attributes: readonly Uint8Array[]): Buffer {
  return netlinkAttribute(type, Buffer.concat(attributes))
}

/** Attributes in one, as netfilter has it. */
export function netfilterNested(type: number, ...attributes: readonly Uint8Array[]): Buffer {
  return netlinkNested(type | NESTED, ...attributes)
}

/** A text with a NUL behind it. */
export function netlinkText(type: number, text: string): Buffer {
  return netlinkAttribute(type, Buffer.from(`${text}\0`))
}

/** The attributes in `bytes` behind `from`, by type without its flags; what is cut off is left out. */
export function readNetlinkAttributes(bytes: Buffer, from: number): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = from; at + 4 <= bytes.length;) {
    const size = bytes.readUInt16LE(at)
    if (size < 4 || at + size > bytes.length) break
    found.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, bytes.subarray(at + 4, at + size))
    at += (size + 3) & ~3
  }
  return found
}
