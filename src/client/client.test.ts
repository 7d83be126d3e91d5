import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createNetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { bytesOf, collect, isKind } from '#base'
import { createClient } from './client.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server on a socket of its own; gone with the test. */
async function serve(t: TestContext, answer: Answer): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mica-client-'))
  const server = createServer(answer)
  server.listen(join(folder, 's'))
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true })
  })
  return `unix://${join(folder, 's')}`
}

/** A server that speaks bytes: what node:http would not send. */
async function serveRaw(t: TestContext, speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    speak(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  assert.ok(typeof address === 'object' && address)
  return `tcp://127.0.0.1:${address.port}`
}

test('get() sends the query and reads counted and chunked JSON', async (t) => {
  const host = await serve(t, (request, response) => {
    if (request.url?.startsWith('/chunked')) response.write('{"url":')
    else response.write('')
    response.end(request.url?.startsWith('/chunked') ? '"chunked"}' : JSON.stringify({ url: request.url }))
  })
  const client = createClient({ host })
  const { url } = await client.get<{ url: string }>('/x', {
    query: { all: true, none: false, gone: undefined, empty: '', n: 0, t: ['a b', 'c&d'] },
  })
  assert.equal(url, '/x?all=1&n=0&t=a+b&t=c%26d')
  assert.deepEqual(await client.get('/chunked'), { url: 'chunked' })
})

test('post() sends JSON, and a reply without a body is undefined', async (t) => {
  let seen = ''
  const host = await serve(t, (request, response) => {
    request.setEncoding('utf8')
    request.on('data', (text: string) => (seen += text))
    request.on('end', () => response.writeHead(204).end())
  })
  assert.equal(await createClient({ host }).post('/x', { json: { a: 'ä' } }), undefined)
  assert.equal(seen, '{"a":"ä"}')
})

const REFUSALS: readonly (readonly [number, string, string])[] = [
  [400, 'invalid', '{"message":"said"}'],
  [401, 'unauthorized', '{"message":"said"}'],
  [403, 'forbidden', '{"message":"said"}'],
  [404, 'not-found', '{"message":"said"}'],
  [409, 'conflict', '{"message":"said"}'],
  [500, 'internal', '{"message":"said"}'],
  [501, 'unsupported', '{"message":"said"}'],
  [503, 'unavailable', 'said\n'],
]

for (const [status, kind, body] of REFUSALS) {
  test(`get() turns ${status} into ${kind} with the server's text`, async (t) => {
    const host = await serve(t, (_, response) => response.writeHead(status).end(body))
    await assert.rejects(createClient({ host }).get('/x'), { kind, message: 'said' })
  })
}

test('post() turns 304 into not-modified', async (t) => {
  const host = await serve(t, (_, response) => response.writeHead(304).end())
  await assert.rejects(createClient({ host }).post('/x'), { kind: 'not-modified' })
})

test('get() says that nobody listens, with the errno', async () => {
  await assert.rejects(createClient({ host: 'unix:///nowhere/at/all' }).get('/x'), (error) => {
    assert.ok(isKind(error, 'unavailable'))
    assert.equal(error.details?.['errno'], 'ENOENT')
    assert.match(error.message, /^Cannot connect to the mica daemon at unix:\/\/\/nowhere\/at\/all\./)
    return true
  })
})

test('get() ends with cancelled when its signal is aborted', async (t) => {
  const abort = new AbortController()
  const host = await serve(t, () => abort.abort())
  await assert.rejects(createClient({ host }).get('/x', { signal: abort.signal }), { kind: 'cancelled' })
})

test('stream() sends bytes in chunks while they come and hands on the reply', async (t) => {
  const host = await serve(t, (request, response) => void request.pipe(response))
  const bytes = Buffer.alloc(300_000, 'x')
  const reply = await createClient({ host }).stream('POST', '/x', { bytes: bytesOf(bytes, 'end') })
  assert.equal(reply.status, 200)
  assert.equal((await collect(reply.bytes)).length, 300_003)
})

test('stream() hears a refusal while its body is still being sent', async (t) => {
  const host = await serve(t, (_, response) => response.writeHead(400).end('{"message":"no"}'))
  const endless = async function* () {
    for (;;) yield Buffer.alloc(65_536)
  }
  await assert.rejects(createClient({ host }).stream('POST', '/x', { bytes: endless() }), {
    kind: 'invalid',
    message: 'no',
  })
})

test('stream() throws what the source of its body throws', async (t) => {
  const host = await serve(t, () => undefined)
  const failing = async function* () {
    yield Buffer.from('x')
    throw new Error('the disk is gone')
  }
  await assert.rejects(createClient({ host }).stream('POST', '/x', { bytes: failing() }), /the disk is gone/)
})

test('lines() hands on each value as it comes', async (t) => {
  const host = await serve(t, (_, response) => response.write('{"a":1}\r\n'))
  for await (const line of createClient({ host }).lines<{ a: number }>('GET', '/events')) {
    assert.equal(line.a, 1)
    break
  }
})

test('get() says that an answer was cut', async (t) => {
  const host = await serveRaw(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a"'))
  await assert.rejects(createClient({ host }).get('/x'), { kind: 'unavailable' })
  const chunked = await serveRaw(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}'),
  )
  await assert.rejects(createClient({ host: chunked }).get('/x'), { kind: 'unavailable' })
  const silent = await serveRaw(t, (socket) => socket.end())
  await assert.rejects(createClient({ host: silent }).get('/x'), { kind: 'unavailable' })
})

/** Refuses each caller at once, and closes while it is still sending: in a thread of its own, so that we can be slow to hear of it. */
const HASTY = `
  const { workerData, parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      const body = '{"message":"no"}'
      socket.write('HTTP/1.1 400 Bad Request\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n' + body, () => socket.destroy())
    })
  })
  server.listen(workerData, () => parentPort.postMessage('listening'))
`

test('what a server said before it closed is heard, also where our own write failed first', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-client-'))
  const worker = new Worker(HASTY, { eval: true, workerData: join(folder, 's') })
  t.after(async () => {
    await worker.terminate()
    rmSync(folder, { recursive: true })
  })
  await once(worker, 'message')
  const bytes = async function* () {
    yield Buffer.from('first')
    // The answer comes meanwhile, and we do not look.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    for (let count = 0; count < 5; count += 1) yield Buffer.alloc(1 << 20)
  }
  const call = createClient({ host: `unix://${join(folder, 's')}` }).post('/x', { bytes: bytes() })
  await assert.rejects(call, { kind: 'invalid', message: 'no' })
})

test('get() refuses what is not HTTP and not JSON', async (t) => {
  const host = await serveRaw(t, (socket) => socket.end('SSH-2.0-x\r\n\r\n'))
  await assert.rejects(createClient({ host }).get('/x'), { kind: 'corrupt' })
  const text = await serve(t, (_, response) => response.end('hello'))
  await assert.rejects(createClient({ host: text }).get('/x'), { kind: 'corrupt' })
})

test('get() sends a header on one line', async (t) => {
  const host = await serve(t, (request, response) => response.end(JSON.stringify(request.headers)))
  const headers = await createClient({ host }).get<Record<string, string>>('/x', { headers: { 'X-A': 'b\r\nX-C: d' } })
  assert.equal(headers['x-a'], 'b  X-C: d')
})

test('hijack() gives both ways, and output goes on after the input was closed', async (t) => {
  const host = await serveRaw(t, (socket) => {
    let got = ''
    socket.once('data', (head) => {
      assert.match(head.toString(), /^POST \/c\/attach\?stream=1 HTTP\/1\.1\r\n[^]*Upgrade: tcp/)
      socket.write('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\nfirst')
      socket.on('data', (bytes) => (got += bytes.toString()))
      socket.on('end', () => socket.end(` got ${got}`))
    })
  })
  using connection = await createClient({ host }).hijack('/c/attach', { query: { stream: true } })
  assert.equal(connection.multiplexed, true)
  await connection.write('hello')
  connection.closeInput()
  assert.equal((await collect(connection.output)).toString(), 'first got hello')
})
