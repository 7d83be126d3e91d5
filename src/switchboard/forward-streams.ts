import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { relay, shutdownWrite } from '#kernel'
import type { SwitchboardForward } from './types.ts'

/** Carries connections; an end of one side is an end of the other side's input only. Disposing cuts them. */
export function forwardStreams({ listen, to }: SwitchboardForward): Promise<Disposable> {
  const open = new Set<AbortController>()
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (from) => {
    const cut = new AbortController()
    open.add(cut)
    carry(from, to, cut.signal)
      .catch(() => undefined)
      .finally(() => {
        open.delete(cut)
        from.destroy()
      })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: listen.ip, port: listen.port, ipv6Only: true }, () => {
      server.on('error', () => undefined)
      resolve({
        [Symbol.dispose]() {
          server.close()
          for (const cut of open) cut.abort()
        },
      })
    })
  })
}

/** Returns once both sides have ended; rejects where one of them breaks. What it opened is closed. */
async function carry(from: Socket, to: SwitchboardForward['to'], signal: AbortSignal): Promise<void> {
  from.on('error', () => from.destroy())
  const target = connect({ host: to.ip, port: to.port, noDelay: true, signal })
  target.on('error', () => target.destroy())
  try {
    // Neither is read by node: their bytes stay in the kernel.
    target.pause()
    await once(target, 'connect', { signal })
    const broken = new AbortController()
    const either = AbortSignal.any([signal, broken.signal])
    const ways = [
      [from, target],
      [target, from],
    ].map(async ([one, other]) => {
      try {
        await carryOneWay(descriptorOf(one), descriptorOf(other), either)
      } catch (error) {
        broken.abort()
        throw error
      }
    })
    await Promise.allSettled(ways)
  } finally {
    target.destroy()
  }
}

async function carryOneWay(from: number, to: number, signal: AbortSignal): Promise<void> {
  await relay(from, to, { signal })
  shutdownWrite(to)
}

/** Semi-internal (Node 24): the number of a connection's descriptor; -1, which every call refuses, where it is gone. */
function descriptorOf(socket: (Socket & { _handle?: { readonly fd: number } | null }) | undefined): number {
  return socket?._handle?.fd ?? -1
}
