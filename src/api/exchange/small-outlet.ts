import type { Socket } from 'node:net'
import type { Outlet } from './outlet.ts'

const { STATUS_CODES } = process.getBuiltinModule('node:http')

export interface SmallOutlet extends Outlet {
  /** The client has ended its side, or has gone. */
  leave(): void
  /** Cuts the connection. */
  readonly cut: () => void
}

/** The reply to a small request, as node's server writes it, in one piece. */
export function createOutlet(
  socket: Socket,
  { withBody, replied }: { readonly withBody: boolean; readonly replied: () => void },
): SmallOutlet {
  let begun = false
  let left = false
  let gone: AbortController | undefined
  return {
    get begun() {
      return begun
    },
    get isOpen() {
      return !begun && !socket.destroyed
    },
    get signal() {
      gone ??= new AbortController()
      if (left) gone.abort()
      return gone.signal
    },
    send(status, head, body = '') {
      if (begun || socket.destroyed) return
      begun = true
      write(socket, headText(status, head), withBody ? body : '')
      replied()
    },
    leave() {
      left = true
      gone?.abort()
    },
    cut: () => void socket.destroy(),
  }
}

function headText(status: number, head: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
  for (let at = 0; at < head.length; at += 2) text += `${head[at]}: ${head[at + 1]}\r\n`
  return `${text}Date: ${new Date().toUTCString()}\r\nConnection: keep-alive\r\n\r\n`
}

function write(socket: Socket, head: string, body: string | Uint8Array): void {
  if (typeof body === 'string') return void socket.write(head + body)
  socket.cork()
  socket.write(head)
  socket.write(body)
  socket.uncork()
}
