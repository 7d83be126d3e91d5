import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import { type Bytes, invalid } from '#base'

const http = process.getBuiltinModule('node:http')

/** A connection after the blank line: bytes both ways, each side ended by itself. */
export interface RawStream {
  /** What the client sends, up to its half-close. */
  readonly input: Bytes
  /** Resolves once there is room for more; writes to a connection that is gone are dropped. */
  write(bytes: Uint8Array, options?: WriteOptions): Promise<void>
  /** Ends our side; the connection goes once the client ended its own, or after a while. */
  end(): void
  /** Aborted when the connection is gone. */
  readonly closed: AbortSignal
}

export interface WriteOptions {
  /** Goes before the bytes, in one with them. */
  readonly head?: Uint8Array
  /** Called when the bytes are read no more. */
  readonly release?: (() => void) | undefined
}

/** How long a client may keep its side open after ours ended. */
const LINGER_MS = 10_000

/**
 * The semi-internal part of hijacking (Node 24): takes the socket of a request away from node:http, for an upgrade (the
 * `upgrade` event has freed it already) and for the old way, where the parser still owns it. Has a test of its own.
 */
export function takeSocket(request: IncomingMessage, response: ServerResponse): Socket {
  const { socket } = request
  response.detachSocket(socket)
  if (!isUpgrade(request)) {
    freeFromParser(socket)
    for (const event of ['data', 'end', 'close', 'drain', 'timeout', 'readable', 'error'])
      socket.removeAllListeners(event)
    const told = whenGone.get(socket)
    if (told) socket.once('close', told)
  }
  socket.allowHalfOpen = true
  socket.setTimeout(0)
  socket.setNoDelay(true)
  return socket
}

const whenGone = new WeakMap<Socket, () => void>()

/** Calls once the connection is gone, also where it is taken meanwhile, which ends what else listens to it. */
export function onceGone(socket: Socket, call: () => void): void {
  whenGone.set(socket, call)
  socket.once('close', call)
}

/** The part of a connection's libuv handle that a worker's work on the connection needs. */
export interface SocketHandle {
  readonly fd: number
  /** Whether node believes that it reads. */
  reading: boolean
  /** A worker reads instead, and node is only made to believe that it does. */
  isLent?: boolean
  readStart(): void
  readStop(): void
}

/** Semi-internal too; undefined for a connection that is gone. */
export function handleOf(socket: Socket & { _handle?: SocketHandle | null }): SocketHandle | undefined {
  const handle = socket._handle
  return handle && handle.fd >= 0 ? handle : undefined
}

type Incoming = (request: IncomingMessage, keepAlive: boolean) => number | undefined

/**
 * Bodies that `wants` are left on the connection, as if the request had asked for an upgrade: it comes with the `upgrade`
 * event, with what was read behind its head.
 */
export function leaveBodies(
  socket: Socket & { parser?: { onIncoming?: Incoming } | null },
  wants: (request: IncomingMessage) => boolean,
): void {
  const { parser } = socket
  const usual = parser?.onIncoming
  if (!parser || !usual) return
  parser.onIncoming = (request, keepAlive) => {
    if (!wants(request)) return usual(request, keepAlive)
    Object.assign(request, { upgrade: true })
    return NO_BODY_AND_UPGRADE
  }
}

/** What llhttp is told at the end of a head whose message ends there, and another protocol begins. */
const NO_BODY_AND_UPGRADE = 2

/** A reply object for a request that came with the `upgrade` event: it has none of node's own. */
export function responseForUpgrade(
  request: IncomingMessage,
  socket: Socket,
  { head, ended = () => socket.destroySoon() }: { readonly head: Buffer; readonly ended?: () => void },
): ServerResponse {
  socket.allowHalfOpen = true
  socket.on('error', () => socket.destroy())
  if (head.length > 0) socket.unshift(head)
  const response = new http.ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', ended)
  return response
}

export function isUpgrade(request: IncomingMessage): boolean {
  return /\bupgrade\b/i.test(request.headers.connection ?? '') && request.headers.upgrade !== undefined
}

/** The body of an upgrading request: its parser stopped after the head, the body lies before the raw stream. */
export async function* upgradeBody(request: IncomingMessage, limit: number): Bytes {
  const length = Number(request.headers['content-length'] ?? 0)
  if (!Number.isSafeInteger(length) || length < 0 || length > limit) throw invalid('request body too large')
  if (request.headers['transfer-encoding'] !== undefined) throw invalid('an upgrade cannot have a chunked body')
  const { socket } = request
  if (length === 0) return
  let body = Buffer.alloc(0)
  while (body.length < length) {
    const bytes: unknown = socket.read()
    if (bytes instanceof Uint8Array) body = Buffer.concat([body, bytes])
    else if (socket.readableEnded || socket.destroyed) throw invalid('invalid JSON: unexpected EOF')
    else await moreToRead(socket)
  }
  if (body.length > length) socket.unshift(body.subarray(length))
  yield body.subarray(0, length)
}

/** Resolves once there is something to read, or the end. */
export function moreToRead(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = ['readable', 'end', 'close'] as const
    const leave = (): void => {
      for (const event of events) socket.off(event, more)
      socket.off('error', fail)
    }
    const more = (): void => {
      leave()
      resolve()
    }
    const fail = (error: Error): void => {
      leave()
      reject(error)
    }
    for (const event of events) socket.on(event, more)
    socket.on('error', fail)
  })
}

export function createRawStream(socket: Socket): RawStream {
  const closed = new AbortController()
  const close = (): void => closed.abort()
  if (socket.destroyed) close()
  socket.once('close', close)
  socket.on('error', () => socket.destroy())
  return {
    input: readInput(socket),
    closed: closed.signal,
    async write(bytes, { head, release } = {}) {
      if (socket.destroyed || !socket.writable) return release?.()
      if (head) {
        socket.cork()
        socket.write(head)
      }
      socket.write(bytes, release)
      if (head) socket.uncork()
      if (!socket.writableNeedDrain) return
      await once(socket, 'drain', { signal: closed.signal }).catch((error: unknown) => {
        if (!socket.destroyed) throw error
      })
    },
    end() {
      if (socket.destroyed) return
      socket.end()
      // What still comes is dropped: closing with unread bytes would reset the connection under the client's last read.
      if (socket.readableEnded) return
      socket.resume()
      socket.once('end', () => socket.destroySoon())
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
    },
  }
}

async function* readInput(socket: Socket): Bytes {
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      if (chunk instanceof Uint8Array) yield chunk
    }
  } catch (error) {
    if (!socket.destroyed) throw error
  }
}

interface Parser {
  unconsume?(): void
  remove?(): void
  close?(): void
}

/**
 * node:http reads through a parser that has «consumed» the socket's handle; it must let go before raw bytes come. Nobody else
 * closes it then, and one that is not closed is kept for ever, with its socket and request; not at once, for it calls us.
 */
function freeFromParser(socket: Socket & { parser?: Parser | null }): void {
  const { parser } = socket
  socket.parser = null
  if (!parser) return
  parser.unconsume?.()
  parser.remove?.()
  setImmediate(() => parser.close?.())
}
