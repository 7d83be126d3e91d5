import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { EngineError, notFound } from '#base'
import type { SmallExchange } from './exchange.ts'
import type { Route } from './route.ts'
import { serve } from '#test/serving'

/** Whether each request was answered before node's server knew of its connection. */
const small: boolean[] = []

function noted(handle: (exchange: SmallExchange) => Promise<void> | void): (exchange: SmallExchange) => Promise<void> {
  return async (exchange) => {
    small.push(!('hijack' in exchange))
    await handle(exchange)
  }
}

const ping = noted(({ reply }) => reply(200, 'OK', { Pragma: 'no-cache' }))
const LONG = 'ä'.repeat(20_000)

/** A reply that waits until it is let go. */
function createGate() {
  const asked = Promise.withResolvers<SmallExchange>()
  const open = Promise.withResolvers<void>()
  const handle = async (exchange: SmallExchange): Promise<void> => {
    asked.resolve(exchange)
    await open.promise
    exchange.reply(200, 'late')
  }
  return { asked: asked.promise, open: open.resolve, handle }
}

const routes = (gate = createGate()): readonly Route[] => [
  { method: 'GET', pattern: '/ping', isSmall: true, handle: ping },
  { method: 'HEAD', pattern: '/ping', isSmall: true, handle: ping },
  { method: 'GET', pattern: '/none', isSmall: true, handle: noted(({ reply }) => reply(204)) },
  { method: 'GET', pattern: '/empty', isSmall: true, handle: noted(({ reply }) => reply(200)) },
  { method: 'GET', pattern: '/long', isSmall: true, handle: noted(({ reply }) => reply(200, { text: LONG })) },
  { method: 'GET', pattern: '/silent', isSmall: true, handle: noted(() => undefined) },
  { method: 'GET', pattern: '/same', isSmall: true, handle: noted(fail(new EngineError('not-modified', ''))) },
  {
    method: 'GET',
    pattern: '/of/{name}',
    isSmall: true,
    handle: noted(({ param, query, header, version, local, reply }) =>
      reply(200, {
        name: param('name'),
        all: query.flag('all'),
        agent: header('User-Agent'),
        minor: version.minor,
        local,
      }),
    ),
  },
  { method: 'GET', pattern: '/missing', isSmall: true, handle: noted(fail(notFound('container', 'x'))) },
  { method: 'GET', pattern: '/gate', isSmall: true, handle: gate.handle },
  { method: 'POST', pattern: '/echo', handle: async ({ json, reply }) => reply(201, await json()) },
]

function fail(error: Error): () => never {
  return () => {
    throw error
  }
}

const request = (line: string, ...fields: readonly string[]): string =>
  `${[line.replace(/$/, ' HTTP/1.1'), 'Host: localhost', 'User-Agent: Tester/1', ...fields].join('\r\n')}\r\n\r\n`

/** Replies as they come, with one date. */
class Client {
  readonly socket: Socket
  #text = ''
  #ended = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (this.#text += text))
    socket.on('end', () => (this.#ended = true))
    socket.on('error', () => (this.#ended = true))
  }

  /** What has come since the last time, when it ends so. */
  async until(end: RegExp): Promise<string> {
    while (!end.test(this.#text) && !this.#ended) await wait(1)
    const text = this.#text.replaceAll(/\r\nDate: [^\r]+ GMT\r\n/g, '\r\nDate: …\r\n')
    this.#text = ''
    return text
  }

  async ended(): Promise<string> {
    return await this.until(/(?!)/)
  }
}

async function open(path: string): Promise<Client> {
  const socket = connect({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  return new Client(socket)
}

/** What one connection that is ended behind its request is answered; in one piece, or with a pause in its head. */
async function ask(path: string, text: string, pause: boolean): Promise<string> {
  const client = await open(path)
  client.socket.write(text.slice(0, pause ? 9 : undefined))
  if (pause) {
    await wait(20)
    client.socket.write(text.slice(9))
  }
  const answer = await client.until(/\r\n\r\n/)
  client.socket.end()
  return answer + (await client.ended())
}

for (const [line, isSmall] of [
  ['GET /ping', true],
  ['HEAD /ping', true],
  ['GET /v1.51/ping', true],
  ['GET /v1.12/ping', false],
  ['GET /v1.99/ping', false],
  ['GET /none', true],
  ['GET /empty', true],
  ['GET /long', true],
  ['GET /silent', true],
  ['GET /same', true],
  ['GET /missing', true],
  ['GET /v1.44/of/a%20b?all=1', true],
  ['GET /of/%', false],
  ['GET /nowhere', false],
  ['HEAD /none', false],
] as const) {
  test(`${line} is answered byte for byte as node's server answers it`, async () => {
    await using served = await serve(routes())
    small.length = 0
    const fast = await ask(served.socketPath, request(line), false)
    assert.equal(small.includes(true), isSmall)
    small.length = 0
    const usual = await ask(served.socketPath, request(line), true)
    assert.equal(small.includes(true), false)
    assert.equal(fast, usual)
    assert.match(fast, /^HTTP\/1\.1 \d{3} [A-Z]/)
    assert.match(fast, /\r\nApi-Version: 1\.51\r\n/)
  })
}

test('a connection is handed on at its first request that is not small', async () => {
  await using served = await serve(routes())
  const client = await open(served.socketPath)
  small.length = 0
  client.socket.write(request('HEAD /ping'))
  assert.match(await client.until(/\r\n\r\n$/), /^HTTP\/1\.1 200 /)
  client.socket.write(request('GET /ping'))
  assert.match(await client.until(/OK$/), /^HTTP\/1\.1 200 /)
  client.socket.write(`${request('POST /echo', 'Content-Type: application/json', 'Content-Length: 7')}{"a":1}`)
  assert.match(await client.until(/\}\n$/), /^HTTP\/1\.1 201 [^]*\r\n\r\n\{"a":1\}\n$/)
  client.socket.write(request('GET /ping'))
  assert.match(await client.until(/OK$/), /^HTTP\/1\.1 200 /)
  assert.deepEqual(small, [true, true, false])
  client.socket.destroy()
})

test('a body that comes in pieces behind a ping is whole', async () => {
  await using served = await serve(routes())
  const client = await open(served.socketPath)
  client.socket.write(request('HEAD /ping'))
  await client.until(/\r\n\r\n$/)
  const body = JSON.stringify({ text: 'x'.repeat(200_000) })
  client.socket.write(request('POST /echo', 'Content-Type: application/json', `Content-Length: ${body.length}`))
  client.socket.write(body)
  assert.ok((await client.until(/\}\n$/)).endsWith(`\r\n\r\n${body}\n`))
  client.socket.destroy()
})

test('requests that come together are answered in their order', async () => {
  await using served = await serve(routes())
  const client = await open(served.socketPath)
  client.socket.write(request('GET /of/1') + request('GET /of/2') + request('GET /of/3'))
  assert.deepEqual(
    [...(await client.until(/"3"[^]*\}\n$/)).matchAll(/"name":"(\d)"/g)].map(([, name]) => name),
    ['1', '2', '3'],
  )
  client.socket.destroy()
})

test('what comes while a request is answered waits for its reply', async () => {
  const gate = createGate()
  await using served = await serve(routes(gate))
  const client = await open(served.socketPath)
  client.socket.write(request('GET /gate'))
  await gate.asked
  client.socket.write(request('GET /of/2'))
  await wait(20)
  client.socket.write(request('GET /of/3'))
  await wait(20)
  gate.open()
  const text = await client.until(/"3"[^]*\}\n$/)
  assert.match(text, /\r\n\r\nlate[^]*"name":"2"[^]*"name":"3"/)
  client.socket.destroy()
})

test('a client that has ended its side is answered, and the connection ends', async () => {
  const gate = createGate()
  await using served = await serve(routes(gate))
  const client = await open(served.socketPath)
  client.socket.end(request('GET /gate'))
  const { signal } = await gate.asked
  while (!signal.aborted) await wait(1)
  gate.open()
  assert.match(await client.ended(), /\r\n\r\nlate$/)
})

test('a client that goes away is told of by the signal', async () => {
  const gate = createGate()
  await using served = await serve(routes(gate))
  const client = await open(served.socketPath)
  client.socket.write(request('GET /gate'))
  const { signal } = await gate.asked
  assert.equal(signal.aborted, false)
  client.socket.destroy()
  while (!signal.aborted) await wait(1)
  gate.open()
})

test('close() ends a connection that asks for nothing at once, and one that is answered with its reply', async () => {
  const gate = createGate()
  const served = await serve(routes(gate))
  const [idle, busy] = [await open(served.socketPath), await open(served.socketPath)]
  idle.socket.write(request('GET /ping'))
  await idle.until(/OK$/)
  busy.socket.write(request('GET /gate'))
  await gate.asked
  const closed = served[Symbol.asyncDispose]()
  assert.equal(await idle.ended(), '')
  gate.open()
  assert.match(await busy.ended(), /\r\n\r\nlate$/)
  busy.socket.destroy()
  await closed
})

test('a web page is refused over TCP, whatever it asks for', async () => {
  await using served = await serve(routes())
  const [host = '', port] = served.address.split(':')
  for (const fields of ['Host: evil.example', 'Host: localhost\r\nOrigin: http://evil.example']) {
    const socket = connect({ host, port: Number(port) })
    const client = new Client(socket)
    small.length = 0
    socket.write(`GET /ping HTTP/1.1\r\n${fields}\r\n\r\n`)
    assert.match(await client.until(/\}\n$/), /^HTTP\/1\.1 403 /)
    assert.deepEqual(small, [])
    socket.destroy()
  }
})
