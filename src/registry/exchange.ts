import { createByteQueue, type Bytes } from '#base'
import type { Dispatcher } from 'undici'

/** Bytes that may wait for the reader before the server has to. */
const MOST_WAITING = 1 << 20

/** What a server answers to one request. */
export interface Exchange {
  readonly status: number
  readonly reason: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * May be read once. Every byte that came is given before the error that ended the reply is thrown, however slowly it
   * is read: what was received once need not be asked for again. Leaving early closes the connection.
   */
  readonly body: Bytes
}

/**
 * Sends one request; rejects where no reply came, or as soon as the signal says so. undici's own streams drop what they
 * hold when a connection is cut: therefore this takes the bytes as they come.
 */
export function exchange(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal?: AbortSignal,
): Promise<Exchange> {
  const { promise, resolve, reject } = Promise.withResolvers<Exchange>()
  const queue = createByteQueue(MOST_WAITING)
  let controller: Dispatcher.DispatchController | undefined
  const end = (error?: Error): void => {
    signal?.removeEventListener('abort', leave)
    queue.end(error)
    if (error) reject(error)
  }
  const leave = (): void => {
    const error = new Error('the request was given up')
    controller?.abort(error)
    end(error)
  }
  signal?.addEventListener('abort', leave, { once: true })
  dispatcher.dispatch(options, {
    onRequestStart(started) {
      controller = started
      if (signal?.aborted === true) leave()
    },
    onResponseStart(_, status, headers, reason = '') {
      if (status >= 200) resolve({ status, reason, headers, body: readAll(queue, leave) })
    },
    onResponseData(flow, chunk) {
      const room = queue.push(chunk)
      if (!queue.isFull) return
      flow.pause()
      void room.then(() => flow.resume())
    },
    onResponseEnd: () => end(),
    onResponseError: (_, error) => end(error),
  })
  return promise
}

async function* readAll(bytes: Bytes, leave: () => void): Bytes {
  try {
    yield* bytes
  } finally {
    leave()
  }
}
