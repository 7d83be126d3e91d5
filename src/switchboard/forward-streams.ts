import { connect, createServer, type Socket } from 'node:net'
import type { SwitchboardForward } from './types.ts'

/** Most of what a container answers is carried in pieces of this size. Bytes. */
const PIECE = 256 * 1024

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
    const target = openTarget(to, from)
    keep(from, target)
    keep(target, from)
    from.pipe(target)
    target.on('end', () => from.end())
    target.resume()
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

/** What comes is written on out of one buffer, which is filled again once that is done: nothing is allocated for a piece. */
function openTarget(to: SwitchboardForward['to'], from: Socket): Socket {
  const callback = (size: number, buffer: Uint8Array): boolean => {
    from.write(buffer.subarray(0, size), () => target.resume())
    return false
  }
  const onread = { buffer: Buffer.allocUnsafeSlow(PIECE), callback }
  const target: Socket = connect({ host: to.ip, port: to.port, allowHalfOpen: true, noDelay: true, onread })
  return target
}
