import type { IncomingMessage, ServerResponse } from 'node:http'
import { once } from 'node:events'
import { type BodyOnConnection, type Bytes, collect, invalid } from '#base'
import type { Connection } from '#engine'
import { type ApiVersion, encodeLine, RAW_STREAM } from '#wire'
import { createRawStream, handleOf, isUpgrade, type RawStream, takeSocket, upgradeBody } from './hijack.ts'
import { type Outlet, outletOf } from './outlet.ts'
import { createQuery, type Query } from './query.ts'
import { errorBody, statusOf } from './status.ts'
import type { TakenBody } from './taken-body.ts'
import { acceptWebSocket, createWebSocket } from './web-socket.ts'

/** A reply whose head is on its way and whose bytes come one by one. */
export interface ReplyStream {
  /** Resolves once there is room for more; dropped where the client is gone. */
  readonly write: (bytes: Uint8Array | string) => Promise<void>
  readonly line: (value: unknown) => Promise<void>
  readonly end: () => void
  /** Once the head has gone: the connection itself, for a worker to write to before `end`; undefined where the client is gone. */
  readonly connection: () => Promise<Connection | undefined>
}

/** One request that asks with its head alone, and its reply, given in one piece. */
export interface SmallExchange {
  readonly version: ApiVersion
  readonly query: Query
  /** The named parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  /** Over the unix socket, whose file mode said who may. */
  readonly local: boolean
  /** Aborted when the client goes away before the reply ended. */
  readonly signal: AbortSignal
  /** True once a head was sent: from then on an error can only be a line of the stream. */
  readonly begun: boolean
  readonly header: (name: string) => string | undefined
  readonly param: (name: string) => string
  readonly reply: (status: number, value?: unknown, headers?: Readonly<Record<string, string>>) => void
  readonly fail: (error: unknown) => void
}

/** One request and its reply. */
export interface Exchange extends SmallExchange {
  /** The body's bytes, as they come. */
  readonly body: Bytes
  /** The body where a worker may read it instead, of a route that `takesBody`. */
  readonly bodyOnConnection: BodyOnConnection | undefined
  /** The JSON body; undefined where there is none. Throws `invalid` in Docker's words. */
  readonly json: () => Promise<unknown>
  /** Sends the head at once. */
  readonly stream: (contentType: string, headers?: Readonly<Record<string, string>>) => ReplyStream
  /** The socket, after `101 UPGRADED`, or after `200 OK` for clients that asked for no upgrade. */
  readonly hijack: (contentType: string) => RawStream
  /** The payloads of a WebSocket, after `101 Switching Protocols`; undefined where none was asked for. */
  readonly webSocket: (kind: 'text' | 'binary') => RawStream | undefined
}

/** A value that is JSON already. */
export class JsonText {
  readonly text: string

  constructor(value: unknown) {
    this.text = `${JSON.stringify(value)}\n`
  }
}

/** Longest JSON body that is read. */
const MAX_BODY = 8 * 1024 * 1024

export interface RequestFacts {
  readonly version: ApiVersion
  /** The query, still encoded. */
  readonly search: string
  readonly params: Readonly<Record<string, string>>
  readonly local: boolean
  /** Names and values, in turn, of headers that each reply has. */
  readonly head: readonly string[]
}

/** Where it comes from, and where its reply goes. */
export interface SmallEnds {
  readonly header: SmallExchange['header']
  readonly outlet: Outlet
}

export function createSmallExchange(facts: RequestFacts, { header, outlet }: SmallEnds): SmallExchange {
  const { params } = facts
  let query: Query | undefined
  const reply: Exchange['reply'] = (status, value, headers) => {
    const head = headers ? [...facts.head, ...Object.entries(headers).flat()] : facts.head
    sendReply(outlet, status, { head, value })
  }
  return {
    version: facts.version,
    get query() {
      return (query ??= createQuery(facts.search))
    },
    params,
    local: facts.local,
    get signal() {
      return outlet.signal
    },
    get begun() {
      return outlet.begun
    },
    header,
    param: (name) => params[name] ?? '',
    reply,
    fail: (error) => reply(statusOf(error), statusOf(error) === 304 ? undefined : errorBody(error)),
  }
}

export interface ExchangeEnds {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly taken?: TakenBody
}

export function createExchange(facts: RequestFacts, { request, response, taken }: ExchangeEnds): Exchange {
  const header = (name: string): string | undefined => request.headersDistinct[name.toLowerCase()]?.[0]
  const small = createSmallExchange(facts, { header, outlet: outletOf(response) })
  const body = taken?.bytes ?? bodyOf(request)
  const { head } = facts
  return {
    version: small.version,
    get query() {
      return small.query
    },
    params: small.params,
    local: small.local,
    get signal() {
      return small.signal
    },
    get begun() {
      return small.begun
    },
    header,
    param: small.param,
    reply: small.reply,
    fail: small.fail,
    body,
    bodyOnConnection: taken,
    json: async () => parseJsonBody(await readBody(body), header('content-type')),
    stream: (contentType, headers = {}) =>
      beginStream(response, [...head, 'Content-Type', contentType, ...Object.entries(headers).flat()]),
    hijack: (contentType) => beginRaw(request, response, contentType),
    webSocket: (kind) => {
      const answer = acceptWebSocket(header)
      return answer === undefined ? undefined : beginWebSocket(request, response, { answer, kind })
    },
  }
}

/** A longer text is made bytes of once, a shorter one goes in one piece with the head. Characters. */
const LONG = 16 << 10

function sendReply(
  outlet: Outlet,
  status: number,
  { head, value }: { readonly head: readonly string[]; readonly value: unknown },
): void {
  if (outlet.begun) return
  if (value === undefined) {
    outlet.send(status, status === 204 || status === 304 ? head : [...head, 'Content-Length', '0'])
    return
  }
  const isText = typeof value === 'string'
  const { text } = isText ? { text: value } : value instanceof JsonText ? value : new JsonText(value)
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json'
  const body = text.length < LONG ? text : Buffer.from(text)
  outlet.send(status, [...head, 'Content-Type', type, 'Content-Length', `${Buffer.byteLength(body)}`], body)
}

function beginStream(response: ServerResponse, head: readonly string[]): ReplyStream {
  response.writeHead(200, [...head])
  const { socket } = response
  // what is written in the same turn leaves with the head
  socket?.cork()
  response.flushHeaders()
  process.nextTick(() => socket?.uncork())
  let room: Promise<void> | undefined
  const write = async (bytes: Uint8Array | string): Promise<void> => {
    if (response.destroyed || response.write(bytes)) return
    room ??= hasRoom(response).finally(() => (room = undefined))
    await room
  }
  return {
    write,
    line: (value) => write(encodeLine(value)),
    end: () => void response.end(),
    connection: () => connectionOf(response),
  }
}

async function connectionOf(response: ServerResponse): Promise<Connection | undefined> {
  const { socket } = response
  if (!socket) return undefined
  // Its callback comes when all that was written before has gone.
  await new Promise<void>((resolve) => socket.write('', () => resolve()))
  const handle = handleOf(socket)
  return handle && { descriptor: handle.fd, chunked: response.chunkedEncoding }
}

/** Resolves once more can be written, or nothing can be any more. */
async function hasRoom(response: ServerResponse): Promise<void> {
  const over = new AbortController()
  const { signal } = over
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })])
  over.abort()
}

/** Only who asks for an upgrade is told whether the bytes come in frames, as in Docker. */
function beginRaw(request: IncomingMessage, response: ServerResponse, contentType: string): RawStream {
  const upgraded = isUpgrade(request)
  const socket = takeSocket(request, response)
  const head = upgraded
    ? ['HTTP/1.1 101 UPGRADED', `Content-Type: ${contentType}`, 'Connection: Upgrade', 'Upgrade: tcp']
    : ['HTTP/1.1 200 OK', `Content-Type: ${RAW_STREAM}`]
  const raw = createRawStream(socket)
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  return raw
}

function beginWebSocket(
  request: IncomingMessage,
  response: ServerResponse,
  { answer, kind }: { readonly answer: string; readonly kind: 'text' | 'binary' },
): RawStream {
  const socket = takeSocket(request, response)
  const raw = createRawStream(socket)
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  socket.write(`${[...head, `Sec-WebSocket-Accept: ${answer}`].join('\r\n')}\r\n\r\n`)
  return createWebSocket(raw, kind)
}

function bodyOf(request: IncomingMessage): Bytes {
  return isUpgrade(request) && request.complete ? upgradeBody(request, MAX_BODY) : bytesOfRequest(request)
}

async function* bytesOfRequest(request: IncomingMessage): Bytes {
  for await (const chunk of request) if (chunk instanceof Uint8Array) yield chunk
}

async function readBody(body: Bytes): Promise<string> {
  try {
    return (await collect(body, MAX_BODY)).toString()
  } catch (error) {
    if (error instanceof RangeError) throw invalid('request body too large', { cause: error })
    throw error
  }
}

function parseJsonBody(text: string, contentType: string | undefined): unknown {
  if (text === '') return undefined
  const media = contentType?.split(';')[0]?.trim().toLowerCase()
  if (media !== 'application/json') {
    throw invalid(`unsupported Content-Type header (${contentType ?? ''}): must be 'application/json'`)
  }
  if (text.trim() === '') throw invalid('invalid JSON: got EOF while reading request body')
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`invalid JSON: ${error.message}`, { cause: error })
    throw error
  }
}
