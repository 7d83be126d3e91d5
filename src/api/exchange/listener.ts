import { lstat, rm } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { once } from 'node:events'
import { conflict, errnoOf, forbidden, ifExists, invalid } from '#base'

/** Where the API listens: a unix socket, or TCP on the loopback interface. */
export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** The kernel's limit for a unix socket's path (sun_path with its final zero). */
const MAX_SOCKET_PATH = 107
const SOCKET_MODE = 0o660

/** `unix:///path` or `tcp://127.0.0.1:2375`. Throws `invalid`, also for TCP beyond the loopback interface. */
export function parseListenAddress(text: string): ListenAddress {
  const [, path] = /^(?:unix:\/\/)?(\/.+)$/.exec(text) ?? []
  if (path !== undefined) {
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
      throw invalid(`cannot listen on ${text}: a socket's path has at most ${MAX_SOCKET_PATH} bytes`)
    }
    return { kind: 'unix', path }
  }
  const [, bracketed, plain, port] = /^tcp:\/\/(?:\[([0-9a-fA-F:]+)\]|([^/:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined) throw invalid(`cannot listen on ${text}: it must be unix:///path or tcp://127.0.0.1:port`)
  if (!isLoopback(host)) {
    throw invalid(`cannot listen on ${text}: without TLS only loopback addresses are allowed (127.0.0.1, ::1)`)
  }
  return { kind: 'tcp', host, port: Number(port) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/**
 * Throws `forbidden` for a request over TCP whose `Host` or `Origin` is not this machine's loopback: a web page in a
 * browser may send requests here, also by a name of its own that it lets point to 127.0.0.1.
 */
export function checkCaller(headers: {
  readonly host?: string | undefined
  readonly origin?: string | undefined
}): void {
  const host = headers.host?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  if (host !== undefined && !isLoopback(host)) throw forbidden(`request refused: host ${host} is not this machine`)
  if (headers.origin === undefined || headers.origin === 'null') {
    if (headers.origin === 'null') throw forbidden('request refused: it comes from a web page')
    return
  }
  const origin = URL.parse(headers.origin)?.hostname.replace(/^\[(.*)\]$/, '$1')
  if (origin === undefined || !isLoopback(origin)) throw forbidden(`request refused: it comes from ${headers.origin}`)
}

/**
 * Listens, and answers the address with the port that was chosen. A socket that nobody answers on is replaced.
 * Throws `conflict` where somebody else listens there, `invalid` where nobody can.
 */
export async function listenOn(server: Server, address: ListenAddress): Promise<string> {
  if (address.kind === 'unix') {
    const { path } = address
    await removeStale(path)
    await started(server, path, () => withUmask(~SOCKET_MODE & 0o777, () => server.listen({ path })))
    return `unix://${path}`
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  await started(server, `${host}:${address.port}`, () => server.listen({ host: address.host, port: address.port }))
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return `tcp://${host}:${port}`
}

/** A socket has its mode from its first moment: `listen` binds before it returns. */
function withUmask(mask: number, section: () => void): void {
  const before = process.umask(mask)
  try {
    section()
  } finally {
    process.umask(before)
  }
}

async function started(server: Server, place: string, listen: () => void): Promise<void> {
  const listening = once(server, 'listening')
  listen()
  try {
    await listening
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EADDRINUSE') throw conflict(`cannot listen on ${place}: it is in use`, { cause: error })
    if (errno === undefined) throw error
    throw invalid(`cannot listen on ${place}: ${errno}`, { cause: error })
  }
}

async function removeStale(path: string): Promise<void> {
  const found = await ifExists(lstat(path))
  if (!found) return
  if (!found.isSocket()) throw conflict(`cannot listen on ${path}: it is there and is not a socket`)
  if (await answers(path)) throw conflict(`cannot listen on ${path}: another daemon listens there`)
  await rm(path, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      if (errnoOf(error) === 'ECONNREFUSED' || errnoOf(error) === 'ENOENT') resolve(false)
      else reject(error)
    })
  })
}
