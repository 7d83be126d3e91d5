import { connect, createServer, type Socket } from 'node:net'
import type { SwitchboardForward } from './types.ts'

/** Carries connections; an end of one side is an end of the other side's input only. Disposing cuts them. */
export function forwardStreams({ listen, to }: SwitchboardForward): Promise<Disposable> {
  const open = new Set<Socket>()
  const keep = (socket: Socket, other: Socket): void => {
    open.add(socket)
    socket.on('error', () => other.destroy())
    socket.on('close', () => {
      open.delete(socket)
      other.end()
    })
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (from) => {
    const target = connect({ host: to.ip, port: to.port, allowHalfOpen: true, noDelay: true })
    keep(from, target)
    keep(target, from)
    from.pipe(target)
    target.pipe(from)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: listen.ip, port: listen.port, ipv6Only: true }, () => {
      server.on('error', () => undefined)
      resolve({
        [Symbol.dispose]() {
          server.close()
          for (const socket of open) socket.destroy()
        },
      })
    })
  })
}
