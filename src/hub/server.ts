import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { conflict, errnoOf, invalid, isKind, messageOf, type Bytes, type Log } from '#base'
import type { Leases } from '#store/lease'
import { formatListen, parseListen } from './address.ts'
import type { CheckUser } from './auth.ts'
import { HubFault } from './fault.ts'
import { respond, type Service } from './routes.ts'
import type { HubReply } from './types.ts'

const http = process.getBuiltinModule('node:http')

/** A connection on which nothing moves for so long is closed. Milliseconds. */
const IDLE = 600_000
const MAX_HEAD = 64 * 1024
/** How long `close` waits for replies under way. Milliseconds. */
const CLOSE_GRACE = 500

export interface HubServerOptions {
  readonly service: Service
  readonly leases: Leases
  readonly log: Log
  readonly checkUser: CheckUser
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer }
}

export interface HubServer extends AsyncDisposable {
  /** With the port that was chosen. */
  readonly address: string
}

/** Listens on `host:port`. Throws `conflict` where somebody else does, `invalid` where nobody can. */
export async function openServer(options: HubServerOptions, listen: string): Promise<HubServer> {
  const address = parseListen(listen)
  const answerOne = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(options, request, response)
  }
  const server = createHttp(options, answerOne)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await listenOn(server, listen)
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return {
    address: formatListen({ ...address, port }),
    [Symbol.asyncDispose]: () => close(server, sockets),
  }
}

function createHttp(
  { tls }: HubServerOptions,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  // A layer may be on its way for hours.
  const limits = { maxHeaderSize: MAX_HEAD, requestTimeout: 0 }
  const server = tls
    ? process.getBuiltinModule('node:https').createServer({ ...limits, ...tls }, listener)
    : http.createServer(limits, listener)
  server.setTimeout(IDLE)
  return server
}

async function listenOn(server: Server, text: string): Promise<void> {
  const { host, port } = parseListen(text)
  const listening = once(server, 'listening')
  server.listen({ port, ...(host !== '' && { host }) })
  try {
    await listening
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EADDRINUSE') throw conflict(`cannot listen on ${text}: it is in use`, { cause: error })
    if (errno === undefined) throw error
    throw invalid(`cannot listen on ${text}: ${errno}`, { cause: error })
  }
}

function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, CLOSE_GRACE)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}

async function answer(options: HubServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  response.setHeader('docker-distribution-api-version', 'registry/2.0')
  response.setHeader('x-content-type-options', 'nosniff')
  try {
    if (request.headers.origin !== undefined) throw new HubFault('DENIED', 'requests of web pages are refused')
    await options.checkUser(request.headers.authorization)
    await using lease = await options.leases.open('registry request')
    const { path, query } = split(request.url ?? '/')
    const reply = await respond(options.service, path, {
      method: request.method ?? 'GET',
      query,
      header: (name) => request.headersDistinct[name]?.[0],
      body: bodyOf(request),
      signal: gone.signal,
      lease,
    })
    await send(request, response, reply ?? { status: 404, body: Buffer.from('404 page not found\n') })
  } catch (error) {
    await fail(options, { request, response, gone: gone.signal }, error)
  }
}

function split(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const at = url.indexOf('?')
  if (at < 0) return { path: url, query: new URLSearchParams() }
  return { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) }
}

async function* bodyOf(request: IncomingMessage): Bytes {
  for await (const chunk of request) if (chunk instanceof Uint8Array) yield chunk
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers = {}, body }: HubReply,
): Promise<void> {
  response.statusCode = status
  for (const [name, text] of Object.entries(headers)) response.setHeader(name, text)
  const isBuffer = body instanceof Uint8Array
  if (isBuffer) response.setHeader('content-length', body.length)
  if (body === undefined && headers['content-length'] === undefined && status !== 204)
    response.setHeader('content-length', 0)
  if (request.method === 'HEAD' || body === undefined || isBuffer) {
    response.end(isBuffer ? body : undefined)
    return
  }
  for await (const chunk of body) {
    if (response.destroyed) return
    if (!response.write(chunk)) await hasRoom(response)
  }
  response.end()
}

/** Resolves once more can be written, or nothing can be any more. */
async function hasRoom(response: ServerResponse): Promise<void> {
  if (response.destroyed) return
  const over = new AbortController()
  const { signal } = over
  try {
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })])
  } finally {
    over.abort()
  }
}

interface Failed {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly gone: AbortSignal
}

/** The body of errors (distribution-spec, «Error Codes»); once a reply has begun only its cut can tell. */
async function fail({ log }: HubServerOptions, { request, response, gone }: Failed, error: unknown): Promise<void> {
  const { status, code, headers } = describe(error)
  if (status === 500 && !gone.aborted && !isKind(error, 'cancelled'))
    log.error('registry request failed', { method: request.method, path: request.url, error: messageOf(error) })
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const detail = error instanceof HubFault ? error.details?.['detail'] : undefined
  const errors = [{ code, message: messageOf(error), ...(detail !== undefined && { detail }) }]
  for (const name of ['content-range', 'content-length', 'etag']) response.removeHeader(name)
  const unread = !request.complete && { connection: 'close' }
  await send(request, response, {
    status,
    headers: { 'content-type': 'application/json', ...headers, ...unread },
    body: Buffer.from(`${JSON.stringify({ errors })}\n`),
  })
}

function describe(error: unknown): {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>
} {
  if (error instanceof HubFault) return error
  const isBusy = isKind(error, 'unavailable')
  return { status: isBusy ? 503 : 500, code: isBusy ? 'UNAVAILABLE' : 'UNKNOWN', headers: {} }
}
