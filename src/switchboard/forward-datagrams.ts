import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { SwitchboardForward } from './types.ts'

/** A client that is silent so long is forgotten. Milliseconds. */
const SILENCE = 90_000
const CLIENTS = 4096

/** Carries datagrams: each client has a socket of its own on the way to the container, so answers find back. */
export function forwardDatagrams({ listen, to }: SwitchboardForward): Promise<Disposable> {
  const clients = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>()
  const type = isIPv6(listen.ip) ? 'udp6' : 'udp4'
  const server = createSocket({ type, ipv6Only: type === 'udp6' })
  const forget = (key: string): void => {
    const client = clients.get(key)
    clearTimeout(client?.timer)
    client?.socket.close()
    clients.delete(key)
  }
  const clientAt = (address: string, port: number): Socket | undefined => {
    const key = `${address} ${port}`
    const known = clients.get(key)
    if (known) {
      known.timer.refresh()
      return known.socket
    }
    if (clients.size >= CLIENTS) return undefined
    const socket = createSocket(isIPv6(to.ip) ? 'udp6' : 'udp4')
    socket.on('error', () => forget(key))
    socket.on('message', (answer) => server.send(answer, port, address, () => undefined))
    clients.set(key, { socket, timer: setTimeout(() => forget(key), SILENCE).unref() })
    return socket
  }
  server.on('message', (message, { address, port }) => {
    clientAt(address, port)?.send(message, to.port, to.ip, () => undefined)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.bind({ address: listen.ip, port: listen.port }, () => {
      server.on('error', () => undefined)
      resolve({
        [Symbol.dispose]() {
          server.close()
          for (const key of clients.keys()) forget(key)
        },
      })
    })
  })
}
