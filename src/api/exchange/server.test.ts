import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { conflict, EngineError, invalid, silentLog } from '#base'
import type { Exchange } from './exchange.ts'
import { createRouter, type Route } from './route.ts'
import { createApiServer } from './server.ts'
import { serve } from '#test/serving'

const ROUTES: readonly Route[] = [
  { method: 'GET', pattern: '/ok', handle: ({ reply, version }) => reply(200, { minor: version.minor }) },
  { method: 'GET', pattern: '/none', handle: ({ reply }) => reply(204) },
  { method: 'GET', pattern: '/same', handle: fail(new EngineError('not-modified', '')) },
  { method: 'GET', pattern: '/taken', handle: fail(conflict('it is in use')) },
  { method: 'GET', pattern: '/broken', handle: fail(new TypeError('x is not a function')) },
  { method: 'GET', pattern: '/silent', handle: () => undefined },
  { method: 'GET', pattern: '/filters', handle: ({ query, reply }) => reply(200, [...query.filters()]) },
  { method: 'POST', pattern: '/echo', handle: async ({ json, reply }) => reply(201, await json()) },
  { method: 'GET', pattern: '/many', handle: many },
  { method: 'GET', pattern: '/cut', handle: cut },
]

function fail(error: Error): () => never {
  return () => {
    throw error
  }
}

/** More than a socket's buffers hold. */
async function many({ stream }: Exchange): Promise<void> {
  const output = stream('application/json')
  for (let index = 0; index < 2000; index += 1) await output.line({ index, text: 'x'.repeat(1000) })
  output.end()
}

async function cut({ stream }: Exchange): Promise<void> {
  await stream('text/plain').write('begun')
  throw invalid('too late')
}

test('createApiServer() answers every version in its range, with and without prefix', async () => {
  await using served = await serve(ROUTES)
  const minors = await Promise.all(
    ['/ok', '/v1.24/ok', '/v1.51/ok'].map(async (path) => JSON.parse((await served.call(path)).text)),
  )
  assert.deepEqual(minors, [{ minor: 51 }, { minor: 24 }, { minor: 51 }])
  const old = await served.call('/v1.12/ok')
  assert.equal(old.status, 400)
  assert.match(old.text, /client version 1\.12 is too old/)
  assert.match((await served.call('/v1.99/ok')).text, /client version 1\.99 is too new/)
})

test('createApiServer() gives each reply the headers that clients negotiate by', async () => {
  await using served = await serve(ROUTES)
  const { headers } = await served.call('/ok')
  assert.equal(headers['api-version'], '1.51')
  assert.equal(headers['ostype'], 'linux')
  assert.equal(headers['docker-experimental'], 'false')
})

test('createApiServer() gives errors their statuses and keeps the connection', async () => {
  await using served = await serve(ROUTES)
  const expected: readonly (readonly [string, number, string])[] = [
    ['/taken', 409, '{"message":"it is in use"}\n'],
    ['/broken', 500, '{"message":"x is not a function"}\n'],
    ['/silent', 500, '{"message":"the route gave no reply"}\n'],
    ['/nowhere', 404, '{"message":"page not found"}\n'],
    ['/filters?filters=x', 400, '{"message":"invalid filter"}\n'],
    ['/same', 304, ''],
    ['/none', 204, ''],
  ]
  await served.call('/ok')
  for (const [path, status, text] of expected) {
    const answer = await served.call(path)
    assert.deepEqual([answer.status, answer.text, answer.fresh], [status, text, false], path)
  }
})

test('createApiServer() reads JSON bodies and refuses what is none', async () => {
  await using served = await serve(ROUTES)
  const send = (body: string, type = 'application/json') =>
    served.call('/echo', { method: 'POST', body, headers: { 'Content-Type': type } })
  assert.equal((await send('{"a":"é"}')).text, '{"a":"é"}\n')
  assert.match((await send('{')).text, /^\{"message":"invalid JSON: /)
  assert.match((await send('{}', 'text/plain')).text, /unsupported Content-Type header/)
})

test('a stream of replies waits for its reader and loses nothing', async () => {
  await using served = await serve(ROUTES)
  const lines = (await served.call('/many')).text.split('\r\n').filter((line) => line !== '')
  assert.equal(lines.length, 2000)
  assert.equal(JSON.parse(lines.at(-1) ?? '').index, 1999)
})

test('a reply that fails half way is cut, not ended', async () => {
  await using served = await serve(ROUTES)
  await assert.rejects(served.call('/cut'))
})

test('a second server on a socket that is answered is refused; one that nobody answers on is replaced', async () => {
  await using served = await serve(ROUTES)
  const second = createApiServer({ router: createRouter(ROUTES), log: silentLog(), product: 'test' })
  await assert.rejects(second.listen([`unix://${served.socketPath}`]), { kind: 'conflict' })
  const dead = `${served.socketPath}-dead`
  await leaveSocket(dead)
  assert.deepEqual(await second.listen([`unix://${dead}`]), [`unix://${dead}`])
  assert.equal(statSync(dead).mode & 0o777, 0o660)
  await second.close()
})

/** The file of a listener that was killed: closing one would take the file away. */
async function leaveSocket(path: string): Promise<void> {
  const listener = createServer().listen(`${path}-alive`)
  await once(listener, 'listening')
  renameSync(`${path}-alive`, path)
  listener.close()
}

test('close() ends a server though a client holds a connection', async () => {
  const served = await serve(ROUTES)
  const idle = connect({ path: served.socketPath })
  await once(idle, 'connect')
  await served[Symbol.asyncDispose]()
  if (!idle.closed) await once(idle, 'close')
})

test('listen() listens on all addresses or on none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-api-'))
  const path = join(folder, 's')
  const server = createApiServer({ router: createRouter(ROUTES), log: silentLog(), product: 'test' })
  await assert.rejects(server.listen([`unix://${path}`, 'tcp://10.0.0.1:1']), { kind: 'invalid' })
  assert.equal(existsSync(path), false)
  rmSync(folder, { recursive: true })
})
