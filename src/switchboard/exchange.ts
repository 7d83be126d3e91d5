import { createSocket } from 'node:dgram'
import { isIPv6, Socket } from 'node:net'
import { cancelled, internal } from '#base'
import { bindInetSocket, connectInetSocket, withNetworkNamespace } from '#kernel'
import { createUnframer, frame } from './frame.ts'
import { answers } from './message.ts'
import type { Question, Server } from './upstream.ts'

const PORT = 53

/** A question under its own number. */
export type Asked = Question & { readonly id: number }

/** Sends one message to one server and gives its answer. Rejects where it cannot be reached, or when told to end. */
export type Exchange = (server: Server, asked: Asked, signal: AbortSignal) => Promise<Buffer>

/** Over the network. Each question has a socket of its own: a port that nobody guesses, at which only its server is heard. */
export function createExchange(port = PORT): Exchange {
  return (server, asked, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const open = asked.protocol === 'udp' ? askByDatagram : askByStream
      const close = open({ server, port, asked }, (outcome) => {
        signal.removeEventListener('abort', abort)
        close()
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      })
      const abort = (): void => {
        close()
        reject(cancelled('question to a name server', signal.reason))
      }
      signal.addEventListener('abort', abort, { once: true })
    })
}

function inPlaceOf<T>({ path }: Server, open: () => T): T {
  return path === undefined ? open() : withNetworkNamespace(path, open)
}

interface Way {
  readonly server: Server
  readonly port: number
  readonly asked: Asked
}

/** Called once, later than the call that it was given to. */
type Done = (outcome: Buffer | Error) => void

function askByDatagram({ server, port, asked }: Way, done: Done): () => void {
  const six = isIPv6(server.address)
  const fd = inPlaceOf(server, () => bindInetSocket('udp', { address: six ? '::' : '0.0.0.0', port: 0 }))
  const socket = createSocket({
    type: six ? 'udp6' : 'udp4',
    lookup: (name, _options, found) => found(null, name, six ? 6 : 4),
  })
  socket.on('error', done)
  socket.on('message', (message) => {
    if (answers(message, asked.id, asked.question)) done(message)
  })
  socket.bind({ fd })
  // Connected: only its server is heard, and that nobody listens there is known at once.
  socket.on('connect', () => socket.send(asked.message))
  socket.connect(port, server.address)
  return () =>
    void socket
      .removeAllListeners()
      .on('error', () => undefined)
      .close()
}

function askByStream({ server, port, asked }: Way, done: Done): () => void {
  const socket = new Socket({ fd: inPlaceOf(server, () => connectInetSocket({ address: server.address, port })) })
  const unframer = createUnframer()
  socket.on('error', done)
  socket.on('end', () => done(internal(`cannot ask ${server.address}: it closed the connection`)))
  socket.on('data', (chunk) => {
    const answer = unframer.push(chunk).find((message) => answers(message, asked.id, asked.question))
    if (answer) done(answer)
  })
  socket.write(frame(asked.message))
  return () =>
    void socket
      .removeAllListeners()
      .on('error', () => undefined)
      .destroy()
}
