import { createSingleFlight, isKind, sleep, unavailable } from '#base'
import type { Client } from '#client'
import type { ChosenHost } from './host.ts'
import type { CliEnvironment } from './main.ts'

/** How long a daemon may take to accept calls; after a crash it looks over its store first. Milliseconds. */
const PATIENCE = 60_000
const STEP = 25

/**
 * The same client, which starts the daemon where nobody listens and then goes on: the embedded default. A body that is
 * a stream is not touched before there is a connection, so the call can be made again.
 */
export function reaching(client: Client, host: ChosenHost, environment: CliEnvironment): Client {
  if (!host.startable) return client
  const flights = createSingleFlight<void>()
  const wake = (): Promise<void> => flights.run('start', () => startDaemon(client, host, environment))
  const retry = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call()
    } catch (error) {
      if (!nobodyListens(error)) throw error
      await wake()
      return await call()
    }
  }
  return {
    host: client.host,
    get: (path, options) => retry(() => client.get(path, options)),
    post: (path, options) => retry(() => client.post(path, options)),
    delete: (path, options) => retry(() => client.delete(path, options)),
    stream: (method, path, options) => retry(() => client.stream(method, path, options)),
    hijack: (path, options) => retry(() => client.hijack(path, options)),
    async *lines<T>(method: string, path: string, options?: Parameters<Client['lines']>[2]) {
      try {
        yield* client.lines<T>(method, path, options)
      } catch (error) {
        if (!nobodyListens(error)) throw error
        await wake()
        yield* client.lines<T>(method, path, options)
      }
    },
  }
}

function nobodyListens(error: unknown): boolean {
  return (
    isKind(error, 'unavailable') &&
    (error.details?.['errno'] === 'ENOENT' || error.details?.['errno'] === 'ECONNREFUSED')
  )
}

async function startDaemon(client: Client, host: ChosenHost, environment: CliEnvironment): Promise<void> {
  const daemon = environment.startDaemon(['-H', host.text])
  const end = environment.now() + PATIENCE
  while (!(await answers(client))) {
    if (!daemon.alive()) throw unavailable(`cannot start the daemon: ${lastLine(daemon.output())}`)
    if (environment.now() > end)
      throw unavailable(`cannot start the daemon: it did not accept calls within ${PATIENCE / 1000} s`)
    await sleep(STEP)
  }
}

async function answers(client: Client): Promise<boolean> {
  try {
    await client.stream('HEAD', '/_ping')
    return true
  } catch (error) {
    if (isKind(error, 'unavailable')) return false
    throw error
  }
}

function lastLine(output: string): string {
  const line = output.trim().split('\n').at(-1) ?? ''
  return line === '' ? 'it ended without a word' : line.replace(/^mica: (cannot start the daemon: )?/, '')
}
