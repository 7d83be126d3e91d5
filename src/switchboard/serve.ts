import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { messageOf } from '#base'
import { createBoard } from './board.ts'
import { type Letter, onLines, sendLine } from './line.ts'

/** A process that nobody ever talks to ends after that time. Milliseconds. */
const UNWANTED = 30_000

export interface ServeOptions {
  /** The socket's path. */
  readonly socket: string
  /** Which program this is, as the daemon knows it. */
  readonly code: string
  readonly complain: (text: string) => void
}

/**
 * Listens for the daemon and does what it says, until it is told to stop or until there is nothing to do and no daemon.
 * `ready` resolves when the daemon can connect.
 */
export function serveSwitchboard(options: ServeOptions): {
  readonly ready: Promise<void>
  readonly ended: Promise<void>
} {
  const board = createBoard(options.complain)
  const ended = Promise.withResolvers<void>()
  const listening = Promise.withResolvers<void>()
  const daemons = new Set<Socket>()
  const endIfUnneeded = (): void => {
    if (board.idle && daemons.size === 0) ended.resolve()
  }
  // One order after the other, over all connections.
  let last: Promise<void> = Promise.resolve()
  const take = (socket: Socket, { id, order }: Letter): void => {
    last = last.then(async () => {
      if (order.op === 'stop') return ended.resolve()
      try {
        await board.obey(order)
        sendLine(socket, { id })
      } catch (error) {
        const errno = error instanceof Error && 'code' in error ? { errno: error.code } : {}
        sendLine(socket, { id, error: messageOf(error), ...errno })
      }
    })
  }
  const server = createServer((socket) => {
    daemons.add(socket)
    sendLine(socket, { code: options.code, pid: process.pid })
    onLines<Letter>(socket, (letter) => take(socket, letter))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      daemons.delete(socket)
      endIfUnneeded()
    })
  })
  // What a predecessor left; the daemon has seen that nobody listens there.
  rmSync(options.socket, { force: true })
  server.on('error', listening.reject)
  listenForUs(server, options.socket, listening.resolve)
  setTimeout(endIfUnneeded, UNWANTED).unref()
  return { ready: listening.promise, ended: ended.promise }
}

/** Who can write to the socket gives orders: nobody but its owner, whatever mask the daemon was started with. */
export function listenForUs(server: Server, path: string, listening: () => void): void {
  const mask = process.umask(0o177)
  try {
    server.listen(path, listening)
  } finally {
    process.umask(mask)
  }
}
