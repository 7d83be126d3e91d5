import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createExchange, type Exchange } from './exchange.ts'

type Handle = (exchange: Exchange, response: ServerResponse, request: IncomingMessage) => void

/** One request, answered by `handle`. */
async function withRequest(handle: Handle, use: (client: ReturnType<typeof get>) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    const facts = { version: { major: 1, minor: 51 }, search: '', params: {}, local: true, head: [] }
    handle(createExchange(facts, { request, response }), response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = get({ port, host: '127.0.0.1', agent: false }).on('error', () => undefined)
  try {
    await use(client)
  } finally {
    client.destroy()
    server.close()
    server.closeAllConnections()
  }
}

test('the signal of an exchange is aborted when the client goes', async () => {
  const asked = Promise.withResolvers<AbortSignal>()
  await withRequest(
    ({ signal }) => asked.resolve(signal),
    async (client) => {
      const signal = await asked.promise
      assert.equal(signal.aborted, false)
      client.destroy()
      await once(signal, 'abort')
    },
  )
})

test('whoever asks for the signal once the client has gone finds it aborted', async () => {
  const come = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<Exchange>()
  await withRequest(
    (exchange, response) => {
      response.once('close', () => gone.resolve(exchange))
      come.resolve()
    },
    async (client) => {
      await come.promise
      client.destroy()
      assert.equal((await gone.promise).signal.aborted, true)
    },
  )
})

test('the end of a reply aborts no signal, asked for before or after', async () => {
  const closed = Promise.withResolvers<readonly [before: AbortSignal, after: AbortSignal]>()
  await withRequest(
    (exchange, response) => {
      const { signal } = exchange
      response.once('close', () => closed.resolve([signal, exchange.signal]))
      exchange.reply(200, {})
    },
    async (client) => {
      const [response] = (await once(client, 'response')) as [IncomingMessage]
      response.resume()
      assert.deepEqual(
        (await closed.promise).map(({ aborted }) => aborted),
        [false, false],
      )
    },
  )
  const late = Promise.withResolvers<AbortSignal>()
  await withRequest(
    (exchange, response) => {
      response.once('close', () => late.resolve(exchange.signal))
      exchange.reply(200, {})
    },
    async (client) => {
      client.once('response', (response: IncomingMessage) => response.resume())
      assert.equal((await late.promise).aborted, false)
    },
  )
})
