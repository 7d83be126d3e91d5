import type { ServerResponse } from 'node:http'

/** Where the one reply to a request goes. */
export interface Outlet {
  /** True once a head was sent. */
  readonly begun: boolean
  /** True while the connection waits for it. */
  readonly isOpen: boolean
  /** Aborted when the client goes away before the reply ended. */
  readonly signal: AbortSignal
  /** Dropped where a head was sent, or the client is gone. `head`: names and values, in turn. */
  send(status: number, head: readonly string[], body?: string | Uint8Array): void
}

export function outletOf(response: ServerResponse): Outlet {
  let signal: AbortSignal | undefined
  return {
    get begun() {
      return response.headersSent
    },
    get isOpen() {
      return !response.headersSent && !response.destroyed && response.socket !== null
    },
    get signal() {
      return (signal ??= signalOf(response))
    },
    send(status, head, body) {
      if (response.headersSent || response.destroyed) return
      response.writeHead(status, [...head])
      response.end(body)
    },
  }
}

/** Made for those who ask: most replies are given at once. */
function signalOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  const close = (): void => {
    if (!response.writableFinished) gone.abort()
  }
  if (response.destroyed || response.closed) close()
  else response.once('close', close)
  return gone.signal
}
