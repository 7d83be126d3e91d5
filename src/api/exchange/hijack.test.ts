import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type TestContext, test } from 'node:test'
import { conflict, defer } from '#base'
import { createClient } from '#client'
import { serve } from '#test/serving'
import type { Handler, Route } from './route.ts'

const hijacking = (handle: Handler): Route => ({ method: 'POST', pattern: '/take', hijacks: true, handle })

/** Says the JSON body, then sends everything back, and says so when the client ended its side. */
const echo = hijacking(async (exchange) => {
  const body = await exchange.json()
  const client = exchange.hijack('application/vnd.docker.multiplexed-stream')
  await client.write(Buffer.from(`${JSON.stringify(body ?? null)};`))
  for await (const chunk of client.input) await client.write(chunk)
  await client.write(Buffer.from(';end'))
  client.end()
})

/** A client that speaks bytes; `all` is what came until the server ended its side. */
async function dial(t: TestContext, path: string): Promise<{ socket: Socket; all: Promise<string> }> {
  const socket = connect({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  t.after(() => socket.destroy())
  return { socket, all: Array.fromAsync(socket).then((chunks) => Buffer.concat(chunks).toString()) }
}

function headOf(upgrade: boolean, body: string): string {
  const lines = ['POST /v1.51/take HTTP/1.1', 'Host: x']
  if (upgrade) lines.push('Connection: Upgrade', 'Upgrade: tcp')
  if (body !== '') lines.push('Content-Type: application/json', `Content-Length: ${body.length}`)
  else lines.push('Content-Length: 0')
  return `${lines.join('\r\n')}\r\n\r\n`
}

for (const { name, upgrade, head, kind } of [
  { name: 'with an upgrade', upgrade: true, head: /^HTTP\/1\.1 101 UPGRADED\r\n/, kind: 'multiplexed' },
  { name: 'the old way', upgrade: false, head: /^HTTP\/1\.1 200 OK\r\n/, kind: 'raw' },
]) {
  test(`a connection taken ${name} carries bytes both ways and outlives the client's half`, async (t) => {
    await using server = await serve([echo])
    const { socket, all } = await dial(t, server.socketPath)
    socket.write(headOf(upgrade, '{"a":1}') + '{"a":1}')
    await once(socket, 'readable')
    socket.write('hello')
    socket.end(' world')
    const text = await all
    assert.match(text, head)
    assert.ok(text.includes(`\r\nContent-Type: application/vnd.docker.${kind}-stream\r\n`))
    assert.equal(text.split('\r\n\r\n')[1], '{"a":1};hello world;end')
  })

  test(`a connection taken ${name} carries what HTTP would choke on`, async (t) => {
    await using server = await serve([echo])
    const { socket, all } = await dial(t, server.socketPath)
    socket.write(headOf(upgrade, ''))
    await once(socket, 'readable')
    const odd = `${'\0\r\n\r\nGET /x HTTP/9\r\n'.repeat(3000)}end`
    socket.end(odd)
    assert.equal((await all).split('\r\n\r\n').slice(1).join('\r\n\r\n'), `null;${odd};end`)
  })

  test(`a refusal ${name} is a reply with its status`, async (t) => {
    const refusing = hijacking(() => {
      throw conflict('it is not running')
    })
    await using server = await serve([refusing])
    const { socket, all } = await dial(t, server.socketPath)
    socket.write(headOf(upgrade, '{}') + '{}')
    socket.end()
    assert.match(await all, /^HTTP\/1\.1 409 Conflict\r\n[^]*\r\n\r\n\{"message":"it is not running"\}\n$/)
  })
}

test('the body of an upgrade may come in pieces, with raw bytes at its heels', async (t) => {
  await using server = await serve([echo])
  const { socket, all } = await dial(t, server.socketPath)
  socket.setNoDelay(true)
  socket.write(headOf(true, '{"a":1}') + '{"a')
  await new Promise((resolve) => setImmediate(resolve))
  socket.write('":1}early')
  socket.end()
  assert.match(await all, /\r\n\r\n\{"a":1\};early;end$/)
})

test('an upgrade whose body never ends is refused', async (t) => {
  await using server = await serve([echo])
  const { socket, all } = await dial(t, server.socketPath)
  socket.end(headOf(true, '{"a":1}') + '{"a')
  assert.match(await all, /^HTTP\/1\.1 400 /)
})

test('an upgrade to a route that takes none over is an ordinary call', async (t) => {
  await using server = await serve([{ method: 'POST', pattern: '/take', handle: ({ reply }) => reply(200, 'plain') }])
  const { socket, all } = await dial(t, server.socketPath)
  socket.end(headOf(true, ''))
  assert.match(await all, /^HTTP\/1\.1 200 OK[^]*plain$/)
})

test('the server may end while the client still writes, and nothing is reset', async (t) => {
  const brief = hijacking(async (exchange) => {
    const client = exchange.hijack('application/vnd.docker.raw-stream')
    await client.write(Buffer.from('last words'))
    client.end()
  })
  await using server = await serve([brief])
  const { socket, all } = await dial(t, server.socketPath)
  socket.on('error', (error) => assert.fail(error))
  socket.write(headOf(true, ''))
  await once(socket, 'readable')
  socket.write(Buffer.alloc(200_000))
  assert.match(await all, /last words$/)
  socket.end()
})

test('a client that goes away is noticed by what is written to it', async (t) => {
  const noticed = defer<void>()
  const talking = hijacking(async (exchange) => {
    const client = exchange.hijack('application/vnd.docker.raw-stream')
    while (!client.closed.aborted) {
      await client.write(Buffer.alloc(65_536))
      await new Promise((resolve) => setImmediate(resolve))
    }
    noticed.resolve()
  })
  await using server = await serve([talking])
  const { socket, all } = await dial(t, server.socketPath)
  const cut = assert.rejects(all, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
  socket.write(headOf(true, ''))
  await once(socket, 'readable')
  socket.destroy()
  await noticed.promise
  await cut
})

test('a slow reader holds the writer up, and gets every byte', async (t) => {
  const size = 4 * 1024 * 1024
  let done = false
  const flooding = hijacking(async (exchange) => {
    const client = exchange.hijack('application/vnd.docker.raw-stream')
    for (let sent = 0; sent < size; sent += 65_536) await client.write(Buffer.alloc(65_536, 'x'))
    done = true
    client.end()
  })
  await using server = await serve([flooding])
  const socket = connect({ path: server.socketPath })
  t.after(() => socket.destroy())
  socket.pause()
  socket.write(headOf(true, ''))
  await once(socket, 'connect')
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(done, false)
  let read = 0
  for await (const chunk of socket) read += chunk.length
  assert.ok(read > size)
})

test("the project's own client takes a connection over", async () => {
  await using server = await serve([echo])
  using connection = await createClient({ host: `unix://${server.socketPath}` }).hijack('/take', { json: { a: [] } })
  await connection.write('hi')
  connection.closeInput()
  assert.equal(Buffer.concat(await Array.fromAsync(connection.output)).toString(), '{"a":[]};hi;end')
})

test('what is written with a head comes behind it, and is said to be free once it was sent or dropped', async (t) => {
  const freed: number[] = []
  const gone = defer<void>()
  const speaking = hijacking(async (exchange) => {
    const client = exchange.hijack('application/vnd.docker.raw-stream')
    const bytes = Buffer.alloc(1 << 20, 'x')
    for (const number of [1, 2, 3]) {
      await client.write(bytes, { head: Buffer.from(`<${number}>`), release: () => freed.push(number) })
      assert.ok(freed.includes(number), 'after a drain it was sent')
    }
    client.end()
    for await (const chunk of client.input) void chunk
    await new Promise((resolve) => setImmediate(resolve))
    await client.write(bytes, { release: () => freed.push(4) })
    gone.resolve()
  })
  await using server = await serve([speaking])
  const { socket, all } = await dial(t, server.socketPath)
  socket.write(headOf(true, ''))
  const text = (await all).split('\r\n\r\n')[1] ?? ''
  socket.end()
  await gone.promise
  assert.deepEqual(text.split(/x+/), ['<1>', '<2>', '<3>', ''])
  assert.equal(text.length, 9 + (3 << 20))
  assert.deepEqual(freed, [1, 2, 3, 4])
})

for (const upgrade of [true, false]) {
  test(`nothing is kept of a connection that was taken and has ended, upgrade: ${upgrade}`, async (t) => {
    const taken: WeakRef<AbortSignal>[] = []
    const server = await serve([
      hijacking(async (exchange) => {
        const client = exchange.hijack('application/vnd.docker.raw-stream')
        taken.push(new WeakRef(client.closed))
        for await (const chunk of client.input) await client.write(chunk)
        client.end()
      }),
    ])
    for (let n = 0; n < 20; n++) {
      const { socket, all } = await dial(t, server.socketPath)
      socket.end(headOf(upgrade, ''))
      await all
    }
    await server[Symbol.asyncDispose]()
    assert.ok((await collect(taken)) < taken.length / 2)
  })
}

/** How many are still there after the garbage was collected. */
async function collect(refs: readonly WeakRef<object>[]): Promise<number> {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  assert.ok(typeof gc === 'function')
  // One turn for what is freed later, one for what that held.
  for (let round = 0; round < 2; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    gc()
  }
  return refs.filter((ref) => ref.deref()).length
}
