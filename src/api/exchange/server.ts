import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { EngineError, type Framing, internal, isKind, type Log, messageOf } from '#base'
import { API_VERSION, negotiateVersion } from '#wire'
import {
  createExchange,
  createSmallExchange,
  type ExchangeEnds,
  type RequestFacts,
  type SmallExchange,
} from './exchange.ts'
import { leaveBodies, onceGone, responseForUpgrade } from './hijack.ts'
import { checkCaller, listenOn, parseListenAddress } from './listener.ts'
import { type Outlet, outletOf } from './outlet.ts'
import type { Route, RouteMatch, Router } from './route.ts'
import { createSmallConnections, type SmallConnections } from './small-connection.ts'
import type { SmallOutlet } from './small-outlet.ts'
import type { SmallRequest } from './small-request.ts'
import { statusOf } from './status.ts'
import { createTakenBody, framingOf, responseForTaken } from './taken-body.ts'
import { parseTarget, type Target } from './target.ts'

const http = process.getBuiltinModule('node:http')

export interface ApiServer {
  /** Listens on each of `unix:///path` and `tcp://127.0.0.1:port`, or on none; answers the addresses with the ports chosen. */
  listen(hosts: readonly string[]): Promise<readonly string[]>
  /** Stops listening (socket files go), lets replies under way end for a short while, then cuts what is left. */
  close(): Promise<void>
}

export interface ServerOptions {
  readonly router: Router
  readonly log: Log
  /** For the `Server` header. */
  readonly product: string
}

/** Build arguments and registry credentials travel in the head. */
const MAX_HEAD = 1024 * 1024
/** How long `close` waits for replies under way. */
const CLOSE_GRACE_MS = 500

/** Said in each reply, besides the versions. */
const HEAD = ['Docker-Experimental', 'false', 'Ostype', 'linux'] as const

interface Served extends ServerOptions {
  /** Names and values, in turn, of headers that each reply has. */
  readonly head: readonly string[]
}

export function createApiServer(options: ServerOptions): ApiServer {
  const served = { ...options, head: ['Api-Version', API_VERSION, ...HEAD, 'Server', options.product] }
  const servers = new Set<Listening>()
  const sockets = new Set<Socket>()
  const listen = async (host: string): Promise<string> => {
    const address = parseListenAddress(host)
    const local = address.kind === 'unix'
    const server = createHttpServer(served, local)
    const small = takeSmall(server, served, local)
    server.on('connection', (socket) => {
      sockets.add(socket)
      onceGone(socket, () => {
        sockets.delete(socket)
        small.gone(socket)
      })
    })
    const text = await listenOn(server, address)
    servers.add({ server, small })
    return text
  }
  const close = async (): Promise<void> => {
    const closing = [...servers].map(closeServer)
    servers.clear()
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, CLOSE_GRACE_MS)
    await Promise.all(closing)
    clearTimeout(cut)
  }
  return {
    close,
    async listen(hosts) {
      const addresses: string[] = []
      try {
        for (const host of hosts) addresses.push(await listen(host))
        return addresses
      } catch (error) {
        await close()
        throw error
      }
    },
  }
}

interface Listening {
  readonly server: Server
  readonly small: SmallConnections
}

function closeServer({ server, small }: Listening): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()))
    server.closeIdleConnections()
    small.close()
  })
}

/** No timeouts: an attach, a wait or a build may be silent for days. */
function createHttpServer(options: Served, local: boolean): Server {
  const hijacks = (request: IncomingMessage): boolean => findRoute(options.router, request)?.hijacks === true
  const server = http.createServer(
    { maxHeaderSize: MAX_HEAD, requestTimeout: 0, headersTimeout: 0, shouldUpgradeCallback: hijacks },
    (request, response) => void answerUsual(options, local, { request, response }),
  )
  server.keepAliveTimeout = 0
  server.timeout = 0
  const framingOfTaken = (request: IncomingMessage): Framing | undefined => {
    const framing = framingOf(request)
    return framing !== undefined && findRoute(options.router, request)?.takesBody ? framing : undefined
  }
  server.on('connection', (socket) => leaveBodies(socket, (request) => framingOfTaken(request) !== undefined))
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const framing = framingOfTaken(request)
    if (framing === undefined) {
      void answerUsual(options, local, { request, response: responseForUpgrade(request, socket, { head }) })
      return
    }
    const response = responseForTaken(request, socket)
    void answerUsual(options, local, { request, response, taken: createTakenBody(socket, { framing, begun: head }) })
  })
  return server
}

/**
 * Has small requests answered before node's server knows of a connection: making it known, and its objects for each request,
 * take longer than the request.
 */
function takeSmall(server: Server, options: Served, local: boolean): SmallConnections {
  const others = server.listeners('connection')
  server.removeAllListeners('connection')
  const small = createSmallConnections({
    answer: (request, outlet) => answerSmall(options, local, { request, outlet }),
    otherwise(socket) {
      for (const listener of others) listener.call(server, socket)
    },
  })
  server.on('connection', small.take)
  return small
}

function answerUsual(options: Served, local: boolean, ends: ExchangeEnds): Promise<void> {
  const { request, response } = ends
  const { method = '', url = '/', headers } = request
  const target = parseTarget(url)
  const match = options.router.find(method, target.path)
  return answer(options, {
    asked: { method, url, local, host: headers.host, origin: headers.origin, target, match },
    open: (facts) => createExchange(facts, ends),
    outlet: outletOf(response),
    handle: (exchange) => match?.route.handle(exchange),
    cut: () => void response.destroy(),
  })
}

/** False for a route that is not small. */
function answerSmall(
  options: Served,
  local: boolean,
  { request, outlet }: { readonly request: SmallRequest; readonly outlet: SmallOutlet },
): boolean {
  const { method, url, fields } = request
  const target = parseTarget(url)
  const match = options.router.find(method, target.path)
  if (!match?.route.isSmall || target.elsewhere !== undefined) return false
  const { route } = match
  void answer(options, {
    asked: { method, url, local, host: fields.get('host'), origin: fields.get('origin'), target, match },
    open: (facts) => createSmallExchange(facts, { header: (name) => fields.get(name.toLowerCase()), outlet }),
    outlet,
    handle: (exchange) => route.handle(exchange),
    cut: outlet.cut,
  })
  return true
}

interface Asked {
  readonly method: string
  readonly url: string
  readonly local: boolean
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly target: Target
  readonly match: RouteMatch | undefined
}

interface Answering<Kind extends SmallExchange> {
  readonly asked: Asked
  readonly open: (facts: RequestFacts) => Kind
  readonly outlet: Outlet
  readonly handle: (exchange: Kind) => Promise<void> | void
  readonly cut: () => void
}

async function answer<Kind extends SmallExchange>(
  options: Served,
  { asked, open, outlet, handle, cut }: Answering<Kind>,
): Promise<void> {
  const { local, method, target, match } = asked
  const { head } = options
  let exchange: Kind | undefined
  try {
    if (!local) checkCaller(asked)
    const { search } = target
    exchange = open({ local, head, version: negotiateVersion(target.version), search, params: match?.params ?? {} })
    if (target.elsewhere !== undefined) return exchange.reply(301, undefined, { Location: target.elsewhere })
    if (method === 'OPTIONS') return exchange.reply(200)
    if (!match) throw new EngineError('not-found', 'page not found')
    await handle(exchange)
    if (outlet.isOpen) throw internal('the route gave no reply')
  } catch (error) {
    exchange ??= open({ local, head, version: negotiateVersion(undefined), search: '', params: {} })
    const { begun } = exchange
    failed(options.log, exchange, asked, error)
    if (begun) cut()
  }
}

function failed(log: Log, exchange: SmallExchange, { method, url }: Asked, error: unknown): void {
  if (!exchange.signal.aborted && !isKind(error, 'cancelled') && statusOf(error) === 500) {
    const stack = error instanceof Error ? error.stack : undefined
    log.error('request failed', { method, url: pathOf(url), error: messageOf(error), stack })
  }
  exchange.fail(error)
}

function findRoute(router: Router, request: IncomingMessage): Route | undefined {
  return router.find(request.method ?? '', parseTarget(request.url ?? '/').path)?.route
}

/** For the log: queries may hold build arguments. */
function pathOf(url: string): string {
  return url.split('?')[0] ?? ''
}
