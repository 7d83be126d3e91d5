import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { addressBytes, bindInetSocket, closeDescriptor, isErrno, withNetworkNamespace } from '#kernel'
import { createUnframer, frame } from './frame.ts'
import { redirectNames } from './redirect.ts'

/** Where containers ask, as with Docker. */
export const ADDRESS = '127.0.0.11'
/** Below the ports that the kernel gives out; another is taken where somebody has it. */
const PORT = 28053
/** A connection that is silent so long is closed. Milliseconds. */
const SILENCE = 10_000
const CONNECTIONS = 128
const TRIES = 64
/** A client that asks on without reading its answers is not waited for. Bytes. */
const MOST_UNREAD = 1 << 20

/** Answers one message; undefined for none. */
export type Answering = (message: Buffer, protocol: 'udp' | 'tcp') => Promise<Buffer | undefined> | Buffer | undefined

/**
 * Listens at 127.0.0.11:53, UDP and TCP, in the network namespace at `path`, where the calling thread is for a moment.
 * Disposing closes the sockets and all connections. Throws where it cannot be done.
 */
export function openListener(path: string, answering: Answering, port = PORT): Disposable {
  const opened = withNetworkNamespace(path, () => openSockets(port))
  const datagrams = listenToDatagrams(opened.udp, answering)
  const streams = listenToStreams(opened.tcp, answering)
  return {
    [Symbol.dispose]() {
      datagrams.close()
      streams[Symbol.dispose]()
    },
  }
}

interface Descriptors {
  readonly udp: number
  readonly tcp: number
}

function openSockets(wanted: number): Descriptors {
  const udp = bindAt('udp', wanted)
  try {
    const tcp = bindAt('tcp', wanted)
    try {
      redirectNames(addressBytes(ADDRESS), { udp: udp.port, tcp: tcp.port })
      return { udp: udp.fd, tcp: tcp.fd }
    } catch (error) {
      closeDescriptor(tcp.fd)
      throw error
    }
  } catch (error) {
    closeDescriptor(udp.fd)
    throw error
  }
}

/** At the port that is wanted or one of the next. */
function bindAt(kind: 'udp' | 'tcp', wanted: number): { readonly fd: number; readonly port: number } {
  for (let port = wanted; ; port += 1) {
    try {
      return { fd: bindInetSocket(kind, { address: ADDRESS, port }), port }
    } catch (error) {
      if (!isErrno(error, 'EADDRINUSE') || port === wanted + TRIES) throw error
    }
  }
}

function listenToDatagrams(fd: number, answering: Answering): Datagrams {
  const socket = createSocket({ type: 'udp4', lookup: (name, _options, found) => found(null, name, 4) })
  // Errors of single answers, as to a client that has gone, are nobody's business.
  socket.on('error', () => undefined)
  socket.on('message', (message, { address, port }) => {
    answerInto(answering(message, 'udp'), (answer) => {
      try {
        socket.send(answer, port, address, () => undefined)
      } catch {
        // Closed while somebody else was asked.
      }
    })
  })
  socket.bind({ fd })
  return socket
}

function listenToStreams(fd: number, answering: Answering): Disposable {
  const connections = new Set<Socket>()
  const server: Server = createServer((connection) => {
    if (connections.size >= CONNECTIONS) return connection.destroy()
    connections.add(connection)
    connection.on('close', () => connections.delete(connection))
    connection.on('error', () => connection.destroy())
    connection.setTimeout(SILENCE, () => connection.destroy())
    serveStream(connection, answering)
  })
  server.on('error', () => undefined)
  server.listen({ fd })
  return {
    [Symbol.dispose]() {
      server.close()
      for (const connection of connections) connection.destroy()
    },
  }
}

/** Several questions of one connection are answered as their answers come. */
export function serveStream(connection: Socket, answering: Answering): void {
  const unframer = createUnframer()
  connection.on('data', (chunk) => {
    for (const message of unframer.push(chunk))
      answerInto(answering(message, 'tcp'), (answer) => {
        if (connection.writableLength > MOST_UNREAD) connection.destroy()
        else connection.write(frame(answer))
      })
  })
}

function answerInto(answer: ReturnType<Answering>, send: (answer: Buffer) => void): void {
  if (answer instanceof Promise) {
    answer.then(
      (late) => {
        if (late) send(late)
      },
      () => undefined,
    )
  } else if (answer) send(answer)
}
