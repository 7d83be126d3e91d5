import { type Bytes, collect, corrupt, EngineError, type ErrorKind } from '#base'
import { decodeLines, MULTIPLEXED_STREAM } from '#wire'
import { type Connection, openConnection, readBody } from './connection.ts'
import { formatAuthority, parseHost } from './host.ts'

export type QueryValue = string | number | boolean | readonly string[] | undefined

export interface CallOptions {
  /** A list is repeated; undefined, '' and false are left out; true is «1». */
  readonly query?: Readonly<Record<string, QueryValue>>
  readonly headers?: Readonly<Record<string, string>>
  /** A JSON body. */
  readonly json?: unknown
  /** A body as bytes (a tar), sent while it comes. */
  readonly bytes?: Bytes
  readonly signal?: AbortSignal
}

export interface Reply {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** To be read to its end, or left by `break`: either closes the connection. */
  readonly bytes: Bytes
}

/** A connection that became a raw stream both ways. */
export interface Hijacked extends Disposable {
  /** Frames of stdout and stderr (see `decodeFrames` of wire); else the plain bytes of a terminal. */
  readonly multiplexed: boolean
  readonly output: Bytes
  write(chunk: Uint8Array | string): Promise<void>
  /** EOF for the process's stdin; output still flows. */
  closeInput(): void
}

/**
 * The engine's API from the other side. Each call is one connection. Paths have no version («/containers/json»);
 * what they may hold beyond [A-Za-z0-9/:._-] must be escaped by `encodeURIComponent`. Refusals are `EngineError` with
 * the server's text and the kind of its status; nobody listening is `unavailable` with `details.errno`.
 */
export interface Client {
  /** As given. */
  readonly host: string
  /** The reply's JSON, believed to have the shape asked for; undefined where it has no body. */
  get<T>(path: string, options?: CallOptions): Promise<T>
  post<T = void>(path: string, options?: CallOptions): Promise<T>
  delete<T = void>(path: string, options?: CallOptions): Promise<T>
  stream(method: string, path: string, options?: CallOptions): Promise<Reply>
  /** The JSON values of a progress or event stream as they come. */
  lines<T>(method: string, path: string, options?: CallOptions): AsyncIterable<T>
  /** POST with an upgrade: attach and exec start. */
  hijack(path: string, options?: CallOptions): Promise<Hijacked>
}

/** Longest JSON reply that is read whole. */
const MAX_JSON = 256 * 1024 * 1024
const MAX_ERROR = 1024 * 1024

export function createClient({ host }: { readonly host: string }): Client {
  const parsed = parseHost(host)
  const hostName = parsed.kind === 'tcp' ? formatAuthority(parsed) : 'mica'
  const call = async (method: string, path: string, options: CallOptions, upgrade = false): Promise<Answer> => {
    const connection = await openConnection(parsed, host, options.signal)
    try {
      const answer = await exchange(connection, { hostName, method, path, options, upgrade })
      if (answer.status >= 300) throw await refusal(answer)
      return answer
    } catch (error) {
      connection[Symbol.dispose]()
      throw error
    }
  }
  const json = async <T>(method: string, path: string, options: CallOptions = {}): Promise<T> => {
    const answer = await call(method, path, options)
    return parseJson(await collect(closing(answer), MAX_JSON))
  }
  return {
    host,
    get: (path, options) => json('GET', path, options),
    post: (path, options) => json('POST', path, options),
    delete: (path, options) => json('DELETE', path, options),
    async stream(method, path, options = {}) {
      const answer = await call(method, path, options)
      return { status: answer.status, headers: answer.headers, bytes: closing(answer) }
    },
    async *lines<T>(method: string, path: string, options: CallOptions = {}) {
      const answer = await call(method, path, options)
      for await (const value of decodeLines(closing(answer))) yield shaped<T>(value)
    },
    hijack: async (path, options = {}) => hijacked(await call('POST', path, options, true)),
  }
}

interface Request {
  /** Of the header: servers on TCP refuse names that are not this machine's. */
  readonly hostName: string
  readonly method: string
  readonly path: string
  readonly options: CallOptions
  readonly upgrade: boolean
}

interface Answer {
  readonly connection: Connection
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  /** A length that it names is then that of another method's reply. */
  readonly hasBody: boolean
}

/** Sends and reads up to the reply's head. A server that refuses early is heard while the body is still being sent. */
async function exchange(connection: Connection, request: Request): Promise<Answer> {
  const { bytes } = request.options
  const body = request.options.json === undefined ? undefined : JSON.stringify(request.options.json)
  await connection.write(headOf(request, body) + (body ?? ''))
  const sending = bytes ? sendChunked(connection, bytes) : undefined
  // A broken pipe here means that the answer is already on its way; a failure of the source is the caller's.
  const failed = sending?.catch((error: unknown) => {
    if (!(error instanceof EngineError && error.kind === 'unavailable')) throw error
  })
  const head = connection.readHead()
  const failure = failed?.then(() => head)
  return parseHead(connection, request.method, await (failure ? Promise.race([head, failure]) : head))
}

function headOf({ hostName, method, path, options, upgrade }: Request, body: string | undefined): string {
  const lines = [`${method} ${path}${formatQuery(options.query)} HTTP/1.1`, `Host: ${hostName}`, 'User-Agent: mica']
  if (upgrade) lines.push('Connection: Upgrade', 'Upgrade: tcp')
  else lines.push('Connection: close')
  if (body !== undefined) lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`)
  else if (options.bytes) lines.push('Transfer-Encoding: chunked')
  else if (method !== 'GET' && method !== 'HEAD') lines.push('Content-Length: 0')
  if (options.bytes && !options.headers?.['Content-Type']) lines.push('Content-Type: application/x-tar')
  for (const [name, value] of Object.entries(options.headers ?? {})) lines.push(`${name}: ${oneLine(value)}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A header's value ends at its line. */
function oneLine(value: string): string {
  return value.replaceAll(/[\r\n\0]/g, ' ')
}

function formatQuery(query: CallOptions['query'] = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === '' || value === false) continue
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, one === true ? '1' : String(one))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

async function sendChunked(connection: Connection, bytes: Bytes): Promise<void> {
  for await (const chunk of bytes) {
    if (chunk.length === 0) continue
    await connection.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]))
  }
  await connection.write('0\r\n\r\n')
}

function parseHead(connection: Connection, method: string, head: string): Answer {
  const [first = '', ...lines] = head.split('\r\n')
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]
  if (status === undefined) throw corrupt('cannot read reply: it is not HTTP')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const at = line.indexOf(':')
    if (at > 0) headers.set(line.slice(0, at).toLowerCase(), line.slice(at + 1).trim())
  }
  const hasBody = method !== 'HEAD' && status !== '204' && status !== '304'
  return { connection, status: Number(status), headers, hasBody }
}

async function* closing({ connection, headers, hasBody }: Answer): Bytes {
  try {
    if (hasBody) yield* readBody(connection, headers)
  } finally {
    connection[Symbol.dispose]()
  }
}

function hijacked({ connection, headers }: Answer): Hijacked {
  const output = async function* (): Bytes {
    for (let chunk = await connection.read(); chunk; chunk = await connection.read()) yield chunk
  }
  return {
    multiplexed: headers.get('content-type') === MULTIPLEXED_STREAM,
    output: output(),
    write: (chunk) => connection.write(chunk),
    closeInput: () => connection.end(),
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  }
}

async function refusal(answer: Answer): Promise<EngineError> {
  const body = (await collect(closing(answer), MAX_ERROR)).toString()
  return new EngineError(kindOf(answer.status), messageIn(body) ?? `the daemon answered ${answer.status}`, {
    details: { status: answer.status },
  })
}

function kindOf(status: number): ErrorKind {
  return KINDS[status] ?? 'internal'
}

const KINDS: Readonly<Record<number, ErrorKind>> = {
  304: 'not-modified',
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  501: 'unsupported',
  503: 'unavailable',
}

function messageIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null && 'message' in value) return String(value.message)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return body.trim() === '' ? undefined : body.trim()
}

function parseJson<T>(body: Buffer): T {
  const text = body.toString()
  if (text.trim() === '') return shaped<T>(undefined)
  try {
    return shaped<T>(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) throw corrupt(`cannot read reply: ${error.message}`, { cause: error })
    throw error
  }
}

/** The one place where the server's shapes are believed: client and daemon are of one version. */
function shaped<T>(value: unknown): T {
  return value as T
}
