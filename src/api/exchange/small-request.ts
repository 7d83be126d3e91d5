/** A request that asks with its head alone, and says nothing of its connection or a body. */
export interface SmallRequest {
  readonly method: 'GET' | 'HEAD'
  readonly url: string
  /** By their names in lower case. */
  readonly fields: ReadonlyMap<string, string>
}

/** A longer head is left to node. Bytes. */
const LONGEST = 8 << 10
const END = '\r\n\r\n'

const REQUEST_LINE = /^(GET|HEAD) (\/[!-~]*) HTTP\/1\.1$/
/** RFC 9110, 5.5 and 5.6.2, of ASCII alone: a token, and printable characters with blanks between them. */
const FIELD = /^([\w!#$%&'*+.^`|~-]+): ?([!-~](?:[ -~]*[!-~])?)$/

/** Fields that say what else comes, or what becomes of the connection. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Reads what came on a connection where it is one small request, whole, with nothing behind it. Undefined for everything else,
 * also for what may be right: that is node's to read.
 */
export function parseSmallRequest(bytes: Buffer): SmallRequest | undefined {
  if (bytes.length > LONGEST) return undefined
  const text = bytes.toString('latin1')
  if (text.indexOf(END) !== text.length - END.length) return undefined
  const at = text.indexOf('\r\n')
  const [, method, url] = REQUEST_LINE.exec(text.slice(0, at)) ?? []
  if ((method !== 'GET' && method !== 'HEAD') || url === undefined) return undefined
  const fields = fieldsOf(text.slice(at + 2, -2))
  return fields?.has('host') ? { method, url, fields } : undefined
}

/** A client says the same fields in each request: those of the last few are known. */
const known = new Map<string, ReadonlyMap<string, string>>()
const KNOWN = { number: 8, length: 256 } as const

function fieldsOf(text: string): ReadonlyMap<string, string> | undefined {
  const seen = known.get(text)
  if (seen) return seen
  const fields = parseFields(text)
  if (!fields || text.length > KNOWN.length) return fields
  if (known.size >= KNOWN.number) known.clear()
  known.set(text, fields)
  return fields
}

function parseFields(text: string): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>()
  for (const line of text.split('\r\n').slice(0, -1)) {
    const [, spelled, value] = FIELD.exec(line) ?? []
    const name = spelled?.toLowerCase()
    if (name === undefined || value === undefined || fields.has(name)) return undefined
    if (OF_CONNECTION.has(name) && !saysNothing(name, value)) return undefined
    fields.set(name, value)
  }
  return fields
}

/** HTTP/1.1 keeps a connection anyway. */
function saysNothing(name: string, value: string): boolean {
  return name === 'connection' && value.toLowerCase() === 'keep-alive'
}
