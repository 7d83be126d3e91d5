import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { EngineError, type Framing, internal, isKind, type Log, messageOf } from '#base'
import { API_VERSION, negotiateVersion } from '#wire'
import { createExchange, type Exchange } from './exchange.ts'
import { leaveBodies, onceGone, responseForUpgrade } from './hijack.ts'
import { checkCaller, listenOn, parseListenAddress } from './listener.ts'
import type { Route, Router } from './route.ts'
import { statusOf } from './status.ts'
import { createTakenBody, framingOf, responseForTaken, type TakenBody } from './taken-body.ts'

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

export function createApiServer(options: ServerOptions): ApiServer {
  const servers = new Set<Server>()
  const sockets = new Set<Socket>()
  const listen = async (host: string): Promise<string> => {
    const address = parseListenAddress(host)
    const server = createHttpServer(options, address.kind === 'unix')
    server.on('connection', (socket) => {
      sockets.add(socket)
      onceGone(socket, () => sockets.delete(socket))
    })
    const text = await listenOn(server, address)
    servers.add(server)
    return text
  }
  const close = async (): Promise<void> => {
    const closing = [...servers].map((server) => closeServer(server))
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

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()))
    server.closeIdleConnections()
  })
}

/** No timeouts: an attach, a wait or a build may be silent for days. */
function createHttpServer(options: ServerOptions, local: boolean): Server {
  const hijacks = (request: IncomingMessage): boolean => findRoute(options.router, request)?.hijacks === true
  const server = http.createServer(
    { maxHeaderSize: MAX_HEAD, requestTimeout: 0, headersTimeout: 0, shouldUpgradeCallback: hijacks },
    (request, response) => void answer(options, { local, request, response }),
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
      void answer(options, { local, request, response: responseForUpgrade(request, socket, { head }) })
      return
    }
    const response = responseForTaken(request, socket)
    void answer(options, { local, request, response, taken: createTakenBody(socket, { framing, begun: head }) })
  })
  return server
}

interface Asked {
  readonly local: boolean
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly taken?: TakenBody
}

/** Said in each reply, besides the versions. */
const HEAD = ['Docker-Experimental', 'false', 'Ostype', 'linux'] as const

async function answer(options: ServerOptions, asked: Asked): Promise<void> {
  const { local, request, response } = asked
  const facts = { ...asked, head: ['Api-Version', API_VERSION, ...HEAD, 'Server', options.product] }
  let exchange: Exchange | undefined
  try {
    if (!local) checkCaller(request.headers)
    const { path, version, search } = parseTarget(request.url ?? '/')
    const match = options.router.find(request.method ?? 'GET', path)
    exchange = createExchange({
      ...facts,
      version: negotiateVersion(version),
      search,
      params: match?.params ?? {},
    })
    if (!match) throw new EngineError('not-found', 'page not found')
    await match.route.handle(exchange)
    if (!response.headersSent && !response.destroyed && response.socket) throw internal('the route gave no reply')
  } catch (error) {
    exchange ??= createExchange({
      ...facts,
      version: negotiateVersion(undefined),
      search: '',
      params: {},
    })
    const { begun } = exchange
    failed(options.log, exchange, request, error)
    if (begun) response.destroy()
  }
}

function failed(log: Log, exchange: Exchange, request: IncomingMessage, error: unknown): void {
  if (!exchange.signal.aborted && !isKind(error, 'cancelled') && statusOf(error) === 500) {
    const stack = error instanceof Error ? error.stack : undefined
    log.error('request failed', { method: request.method, url: pathOf(request), error: messageOf(error), stack })
  }
  exchange.fail(error)
}

interface Target {
  readonly path: string
  readonly version: string | undefined
  readonly search: string
}

/** `/v1.43/containers/json?all=1`; both parts stay encoded. */
function parseTarget(url: string): Target {
  const at = url.indexOf('?')
  const full = at < 0 ? url : url.slice(0, at)
  const [, version, path] = /^\/v([0-9.]+)(\/.*)$/.exec(full) ?? []
  return { path: path ?? full, version, search: at < 0 ? '' : url.slice(at + 1) }
}

function findRoute(router: Router, request: IncomingMessage): Route | undefined {
  return router.find(request.method ?? '', parseTarget(request.url ?? '/').path)?.route
}

/** For the log: queries may hold build arguments. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?')[0] ?? ''
}
