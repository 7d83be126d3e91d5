import { cancelled, messageOf, throwIfCancelled, type Bytes } from '#base'
import { Readable } from 'node:stream'
import type { SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import { systemAuthorities } from './authorities.ts'
import { RegistryError } from './error.ts'
import { exchange, type Exchange } from './exchange.ts'
import { proxyRule } from './proxy.ts'
import type { ProxyConfig } from './types.ts'

/** Milliseconds until a connection stands. */
const CONNECT_TIMEOUT = 15_000
/** Milliseconds until the reply begins; a registry checks an uploaded blob before it answers. */
const READ_TIMEOUT = 60_000
const WRITE_TIMEOUT = 600_000
/** Milliseconds without a byte after which a download counts as cut. */
const STALL_TIMEOUT = 60_000
/** A longer rest of a body costs more than a new connection. */
const MAX_DISCARD = 16 << 10

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Bytes | Uint8Array
  readonly signal?: AbortSignal
}

export interface HttpReply {
  readonly status: number
  /** The server's own words beside the status; may be empty. */
  readonly reason: string
  /** Undefined where absent; of several the first. */
  header(name: string): string | undefined
  /** May be read once; must be read or discarded. */
  readonly body: Bytes
  /** Gives the connection back, or closes it where much is left to read. */
  discard(): Promise<void>
}

export interface HttpOptions {
  /** The registry's own host with port; what follows but for `proxy` and `ca` holds for it alone. */
  readonly host: string
  /** Accept any certificate. */
  readonly trustAny: boolean
  /** Authorities beside the well-known ones. */
  readonly ca?: readonly string[]
  readonly clientCertificate?: { readonly certificate: string; readonly key: string }
  readonly proxy?: ProxyConfig
}

/** HTTP/1.1 without redirects, decompression, cookies or caches: what a registry client needs to decide itself. */
export interface Http extends AsyncDisposable {
  /** Throws `cancelled`, or `unavailable` (a RegistryError of status 0) where no reply came. */
  send(request: HttpRequest): Promise<HttpReply>
}

export function createHttp(options: HttpOptions): Http {
  const { host, trustAny, clientCertificate, proxy, ca = [] } = options
  const home = createDispatchers({ ca, trustAny, ...(clientCertificate && { clientCertificate }) })
  const others = createDispatchers({ ca, trustAny: false })
  const proxyOf = proxyRule(proxy ?? {})
  // A default port is not part of a URL's host.
  const homes = new Set([new URL(`https://${host}`).host, new URL(`http://${host}`).host])
  return {
    async send(request) {
      const dispatchers = homes.has(request.url.host) ? home : others
      return sendOnce(await dispatchers.open(proxyOf(request.url)), request)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([home.close(), others.close()])
    },
  }
}

interface Trust {
  readonly ca: readonly string[]
  readonly trustAny: boolean
  readonly clientCertificate?: HttpOptions['clientCertificate']
}

/** Connections without a proxy, and by each. */
interface Dispatchers {
  open(proxy: string | undefined): Promise<Dispatcher>
  close(): Promise<void>
}

function createDispatchers(trust: Trust): Dispatchers {
  const opened = new Map<string | undefined, Promise<Dispatcher>>()
  return {
    open(proxy) {
      const known = opened.get(proxy) ?? connect(trust, proxy)
      opened.set(proxy, known)
      return known
    },
    async close() {
      await Promise.all([...opened.values()].map(async (dispatcher) => (await dispatcher).destroy()))
    },
  }
}

/** undici is loaded with the first request: most runs of the daemon begin without one. */
async function connect(trust: Trust, proxy: string | undefined): Promise<Dispatcher> {
  const { Agent, ProxyAgent } = await import('undici')
  const secureContext = await contextOf(trust)
  const tls = { rejectUnauthorized: !trust.trustAny, ...(secureContext && { secureContext }) }
  const settings = {
    bodyTimeout: STALL_TIMEOUT,
    headersTimeout: READ_TIMEOUT,
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT, ...tls },
  }
  if (proxy === undefined) return new Agent(settings)
  return new ProxyAgent({ ...settings, uri: proxy, requestTls: tls })
}

/** The machine's authorities with the host's own, and a client's certificate; read once for all connections. */
async function contextOf({ ca, trustAny, clientCertificate: client }: Trust): Promise<SecureContext | undefined> {
  if (trustAny && ca.length === 0 && !client) return undefined
  const [system, { createSecureContext, getCACertificates, rootCertificates }] = await Promise.all([
    systemAuthorities(),
    import('node:tls'),
  ])
  const known = system === undefined ? rootCertificates : [system]
  return createSecureContext({
    ca: [...known, ...getCACertificates('extra'), ...ca],
    ...(client && { cert: client.certificate, key: client.key }),
  })
}

async function sendOnce(dispatcher: Dispatcher, request: HttpRequest): Promise<HttpReply> {
  const { method, url, headers, body, signal } = request
  throwIfCancelled(signal, describeRequest(request))
  const source = body === undefined || body instanceof Uint8Array ? body : Readable.from(body, { objectMode: false })
  try {
    const options = {
      method,
      origin: url.origin,
      path: url.pathname + url.search,
      headers: { 'user-agent': 'mica', 'accept-encoding': 'identity', ...headers },
      ...(source !== undefined && { body: source }),
      ...(body !== undefined && { headersTimeout: WRITE_TIMEOUT }),
    }
    return replyOf(request, await exchange(dispatcher, options, signal))
  } catch (error) {
    throw transportError(request, error)
  } finally {
    if (source instanceof Readable) source.destroy()
  }
}

function replyOf(request: HttpRequest, { status, reason, headers, body: bytes }: Exchange): HttpReply {
  const body = readBody(request, bytes)
  return {
    status,
    reason,
    header(name) {
      const value = headers[name]
      return Array.isArray(value) ? value[0] : value
    },
    body,
    async discard() {
      await skim(body).catch(() => undefined)
    },
  }
}

async function skim(body: Bytes): Promise<void> {
  let left = MAX_DISCARD
  for await (const chunk of body) if ((left -= chunk.length) < 0) return
}

async function* readBody(request: HttpRequest, body: Bytes): Bytes {
  try {
    for await (const chunk of body) {
      throwIfCancelled(request.signal, describeRequest(request))
      yield chunk
    }
  } catch (error) {
    throw transportError(request, error)
  }
}

/** «Get "https://host/v2/…"», as Go's client names a request; without the query, which may hold a signature. */
export function describeRequest({ method, url }: Pick<HttpRequest, 'method' | 'url'>): string {
  const verb = method.charAt(0) + method.slice(1).toLowerCase()
  return `${verb} "${url.origin}${url.pathname}"`
}

function transportError(request: HttpRequest, error: unknown): Error {
  const what = describeRequest(request)
  if (request.signal?.aborted === true) return cancelled(what, request.signal.reason)
  return new RegistryError('unavailable', `${what}: ${reasonOf(error, request.url)}`, { status: 0, cause: error })
}

/** What happened to the connection, in the words that Go's net package uses (scripts look for them). */
function reasonOf(error: unknown, url: URL): string {
  const code = codeOf(error) ?? ''
  const host = url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host
  const known = REASONS[code]
  if (known !== undefined) return known.replace('HOST', host).replace('NAME', url.hostname)
  return isWrongVersion(error) ? 'http: server gave HTTP response to HTTPS client' : tlsReason(error, code)
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'dial tcp HOST: connect: connection refused',
  ENOTFOUND: 'dial tcp: lookup NAME: no such host',
  EAI_AGAIN: 'dial tcp: lookup NAME: no such host',
  EHOSTUNREACH: 'dial tcp HOST: connect: no route to host',
  ENETUNREACH: 'dial tcp HOST: connect: network is unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'dial tcp HOST: i/o timeout',
  ETIMEDOUT: 'dial tcp HOST: i/o timeout',
  UND_ERR_HEADERS_TIMEOUT: 'context deadline exceeded: no reply for too long',
  UND_ERR_BODY_TIMEOUT: 'context deadline exceeded: no bytes for too long',
  EPIPE: 'unexpected EOF: the connection was cut',
  ECONNRESET: 'unexpected EOF: the connection was cut',
  UND_ERR_SOCKET: 'unexpected EOF: the connection was cut',
}

function tlsReason(error: unknown, code: string): string {
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)
  return isCertificate ? `tls: failed to verify certificate: ${messageOf(error)}` : messageOf(error)
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  if ('code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause)
}

/** True where something answered in plain text what should have been TLS. */
export function isWrongVersion(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = codeOf(error) ?? ''
  return code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' || code === 'EPROTO'
    ? true
    : isWrongVersion(error.cause)
}
