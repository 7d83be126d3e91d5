/** Messages of the domain name system (RFC 1035), as far as a resolver for containers needs them. */

export const TYPE = { a: 1, ptr: 12, mx: 15, aaaa: 28, opt: 41, any: 255 } as const
export const CODE = { none: 0, format: 1, server: 2, name: 3, unknown: 4 } as const
/** RFC 6891: a version of its extension that is not known. Its high bits stand in the OPT record. */
const BAD_VERSION = 16
const IN = 1
const ANY_CLASS = 255
const HEADER = 12
const MAX_NAME = 255
const MAX_LABEL = 63
const ANSWER = 0x8000
const TRUNCATED = 0x0200
const WANTED = 0x0100
const AVAILABLE = 0x0080
const OPCODE = 0x7800
/** Datagrams of a client that does not say how much it takes. */
const PLAIN_SIZE = 512
/** What we say that we take. */
const OWN_SIZE = 4096
/** Seconds that an answer may be kept, as Docker's. */
const LIFETIME = 600

export interface Query {
  readonly id: number
  readonly flags: number
  /** In small letters, without the last dot. */
  readonly name: string
  readonly type: number
  readonly internet: boolean
  /** Name, type and class as they came. */
  readonly question: Buffer
  /** Bytes that a datagram to this client may have. */
  readonly size: number
  readonly extended: boolean
  readonly badVersion: boolean
}

/** What a message is: a query, one that is answered by a code alone, or nothing that is answered at all. */
export type Parsed =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'refused'; readonly answer: Buffer }
  | { readonly kind: 'ignored' }

/** Any bytes will do; nothing is thrown. */
export function parseQuery(message: Buffer): Parsed {
  if (message.length < HEADER) return { kind: 'ignored' }
  const flags = message.readUInt16BE(2)
  if ((flags & ANSWER) !== 0) return { kind: 'ignored' }
  if ((flags & OPCODE) !== 0) return { kind: 'refused', answer: headerOnly(message, CODE.unknown) }
  const question = message.readUInt16BE(4) === 1 ? readQuestion(message) : undefined
  if (!question) return { kind: 'refused', answer: headerOnly(message, CODE.format) }
  const extension = findExtension(message, question.end)
  if (extension === 'broken') return { kind: 'refused', answer: headerOnly(message, CODE.format) }
  const query = {
    id: message.readUInt16BE(0),
    flags,
    name: question.name,
    type: message.readUInt16BE(question.end - 4),
    internet: [IN, ANY_CLASS].includes(message.readUInt16BE(question.end - 2)),
    question: message.subarray(HEADER, question.end),
    size: Math.max(PLAIN_SIZE, extension?.size ?? 0),
    extended: extension !== undefined,
    badVersion: extension !== undefined && extension.version !== 0,
  }
  return { kind: 'query', query }
}

function headerOnly(message: Buffer, code: number): Buffer {
  const answer = Buffer.alloc(HEADER)
  answer.writeUInt16BE(message.readUInt16BE(0), 0)
  answer.writeUInt16BE(answerFlags(message.readUInt16BE(2), code), 2)
  return answer
}

function answerFlags(asked: number, code: number): number {
  return ANSWER | (asked & (OPCODE | WANTED)) | AVAILABLE | (code & 0xf)
}

function readQuestion(message: Buffer): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = []
  let at = HEADER
  for (;;) {
    const size = message[at]
    // A question has nothing before it to point to.
    if (size === undefined || size > MAX_LABEL) return undefined
    at += 1
    if (size === 0) break
    labels.push(message.toString('latin1', at, at + size))
    at += size
    if (at - HEADER > MAX_NAME - 1 || at >= message.length) return undefined
  }
  if (at + 4 > message.length) return undefined
  return { name: labels.join('.').toLowerCase(), end: at + 4 }
}

interface Extension {
  readonly size: number
  readonly version: number
}

/** The OPT record among those behind the question. */
function findExtension(message: Buffer, from: number): Extension | undefined | 'broken' {
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10)
  let at = from
  for (let count = 0; count < records; count += 1) {
    const name = skipName(message, at)
    if (name === undefined || name + 10 > message.length) return 'broken'
    const end = name + 10 + message.readUInt16BE(name + 8)
    if (end > message.length) return 'broken'
    if (message.readUInt16BE(name) === TYPE.opt)
      return { size: message.readUInt16BE(name + 2), version: message.readUInt8(name + 5) }
    at = end
  }
  return undefined
}

function skipName(message: Buffer, from: number): number | undefined {
  for (let at = from; at < message.length;) {
    const size = message.readUInt8(at)
    if (size === 0) return at + 1
    if ((size & 0xc0) === 0xc0) return at + 2
    if (size > MAX_LABEL) return undefined
    at += size + 1
  }
  return undefined
}

export interface ResourceRecord {
  readonly type: number
  readonly data: Uint8Array
}

/**
 * The answer to a query. Records that do not fit into `limit` bytes are left out, and the answer says that it is cut off.
 */
export function encodeAnswer(
  query: Query,
  code: number,
  records: readonly ResourceRecord[] = [],
  limit = query.size,
): Buffer {
  const extension = query.extended ? extensionRecord(code) : Buffer.alloc(0)
  const room = limit - HEADER - query.question.length - extension.length
  const parts: Buffer[] = []
  let size = 0
  for (const record of records) {
    if (size + 12 + record.data.length > room) break
    const bytes = recordBytes(record)
    parts.push(bytes)
    size += bytes.length
  }
  const cut = parts.length < records.length ? TRUNCATED : 0
  const header = Buffer.alloc(HEADER)
  header.writeUInt16BE(query.id, 0)
  header.writeUInt16BE(answerFlags(query.flags, code) | cut, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(parts.length, 6)
  header.writeUInt16BE(query.extended ? 1 : 0, 10)
  return Buffer.concat([header, query.question, ...parts, extension])
}

/** The answer to a query whose extension is of a version that we do not know. */
export function refuseVersion(query: Query): Buffer {
  return encodeAnswer(query, BAD_VERSION)
}

/** Its name is a pointer to that of the question. */
function recordBytes({ type, data }: ResourceRecord): Buffer {
  const bytes = Buffer.alloc(12 + data.length)
  bytes.writeUInt16BE(0xc00c, 0)
  bytes.writeUInt16BE(type, 2)
  bytes.writeUInt16BE(IN, 4)
  bytes.writeUInt32BE(LIFETIME, 6)
  bytes.writeUInt16BE(data.length, 10)
  bytes.set(data, 12)
  return bytes
}

function extensionRecord(code: number): Buffer {
  const bytes = Buffer.alloc(11)
  bytes.writeUInt16BE(TYPE.opt, 1)
  bytes.writeUInt16BE(OWN_SIZE, 3)
  bytes.writeUInt8(code >> 4, 5)
  return bytes
}

/** A name as labels; undefined where it cannot be one. */
export function encodeName(name: string): Buffer | undefined {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  if (labels.some((label) => label.length === 0 || label.length > MAX_LABEL)) return undefined
  const bytes = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)])
  return bytes.length > MAX_NAME ? undefined : bytes
}

/** A server's answer to `asked`, given to another client: under that client's number. */
export function readdress(answer: Buffer, id: number): Buffer {
  const copy = Buffer.from(answer)
  copy.writeUInt16BE(id, 0)
  return copy
}

/** Whether an answer belongs to a question that was sent with that number: same question, letter by letter. */
export function answers(message: Buffer, id: number, question: Buffer): boolean {
  return (
    message.length >= HEADER &&
    message.readUInt16BE(0) === id &&
    (message.readUInt16BE(2) & ANSWER) !== 0 &&
    (message.readUInt16BE(4) === 0 || message.subarray(HEADER, HEADER + question.length).equals(question))
  )
}

export function codeOf(message: Buffer): number {
  return message.readUInt16BE(2) & 0xf
}
