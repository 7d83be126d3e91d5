import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { readSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { conflict, defer, errnoOf } from '#base'
import type { Handler, Route } from './route.ts'
import { serve } from '#test/serving'

const taking = (handle: Handler): Route => ({ method: 'PUT', pattern: '/put', takesBody: true, handle })

/** Says what it was told, by the bytes of the body. */
const saying = taking(async ({ body, bodyOnConnection, reply }) => {
  const chunks = await Array.fromAsync(body)
  reply(200, `${bodyOnConnection ? 'taken' : 'read'} ${Buffer.concat(chunks).toString('latin1')}`)
})

/** Takes the connection and reads the rest itself, as a worker does. */
const grabbing = taking(async ({ bodyOnConnection, reply }) => {
  const first = (await bodyOnConnection?.first()) ?? Buffer.alloc(0)
  const taken = bodyOnConnection?.take()
  assert.ok(taken)
  let raw = Buffer.from(taken.begun).toString('latin1')
  while (!raw.endsWith('0\r\n\r\n')) raw += await readSome(taken.descriptor)
  reply(200, `${Buffer.from(first).toString().slice(0, 6)} ${taken.framing} ${raw.length}`)
})

async function readSome(fd: number): Promise<string> {
  const buffer = Buffer.alloc(65536)
  for (;;) {
    try {
      return buffer.toString('latin1', 0, readSync(fd, buffer))
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

/** Says whether all of the body was there once its first bytes were. */
const wondering = taking(async ({ bodyOnConnection, reply }) => {
  await bodyOnConnection?.first()
  reply(200, bodyOnConnection?.isWhole ? 'whole' : 'begun')
})

const refusing = taking(() => {
  throw conflict('not now')
})

/** All that the server says to these bytes, up to its end; pieces go one after the other. */
async function talk(t: TestContext, path: string, pieces: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect({ path, allowHalfOpen: true })
  t.after(() => socket.destroy())
  const said = Array.fromAsync(socket).then((chunks) => Buffer.concat(chunks).toString('latin1'))
  for (const piece of pieces) {
    if (!socket.write(piece)) await once(socket, 'drain')
    await new Promise((resolve) => setImmediate(resolve))
  }
  const text = await said
  socket.end()
  return text
}

const CHUNKED = 'PUT /put HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'

for (const { name, pieces } of [
  { name: 'in one piece with its head', pieces: [`${CHUNKED}3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n`] },
  { name: 'in pieces', pieces: [CHUNKED, '3\r', '\nab', 'c\r\n4\r\n', 'defg\r\n0', '\r\n\r\n'] },
  { name: 'of a length', pieces: ['PUT /put HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nabc', 'defg'] },
])
  test(`a body ${name} is taken from the connection, which ends with the reply`, async (t) => {
    await using server = await serve([saying])
    const text = await talk(t, server.socketPath, pieces)
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*taken abcdefg$/)
  })

for (const { name, head } of [
  {
    name: 'that asks whether it may come',
    head: 'Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close',
  },
  { name: 'of an upgrade', head: 'Connection: Upgrade, close\r\nUpgrade: tcp\r\nTransfer-Encoding: chunked' },
])
  test(`a body ${name} is left to node`, async (t) => {
    await using server = await serve([saying])
    const text = await talk(t, server.socketPath, [
      `PUT /put HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`,
      '3\r\nabc\r\n0\r\n\r\n',
    ])
    assert.doesNotMatch(text, /taken/)
  })

test('a request before it on the connection changes nothing', async (t) => {
  await using server = await serve([
    saying,
    { method: 'GET', pattern: '/x', handle: ({ reply }) => reply(200, 'first') },
  ])
  const socket = connect({ path: server.socketPath, allowHalfOpen: true })
  t.after(() => socket.destroy())
  socket.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'readable')
  socket.write(`${CHUNKED}3\r\nabc\r\n0\r\n\r\n`)
  const text = Buffer.concat(await Array.fromAsync(socket)).toString()
  assert.match(text, /first[^]*taken abc$/)
})

test('a connection is given to who takes it, with what came before', async (t) => {
  await using server = await serve([grabbing])
  const body = `${'8000\r\n'}${'x'.repeat(0x8000)}\r\n`.repeat(50)
  const text = await talk(t, server.socketPath, [CHUNKED, '6\r\nabcdef\r\n', body, '0\r\n\r\n'])
  assert.match(text, new RegExp(`\\r\\n\\r\\nabcdef chunked ${'6\r\nabcdef\r\n'.length + body.length + 5}$`))
})

test('a body that ends early, or is malformed, is refused', async (t) => {
  await using server = await serve([saying])
  assert.match(await talk(t, server.socketPath, [CHUNKED, 'x\r\n']), /^HTTP\/1\.1 400 [^]*malformed chunked body/)
  const socket = connect({ path: server.socketPath, allowHalfOpen: true })
  t.after(() => socket.destroy())
  socket.end(`${CHUNKED}3\r\nab`)
  assert.match(Buffer.concat(await Array.fromAsync(socket)).toString(), /^HTTP\/1\.1 400 [^]*unexpected EOF/)
})

test('a refusal reaches a client that is still sending', async (t) => {
  await using server = await serve([refusing])
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(1 << 20), Buffer.from('\r\n')])
  const text = await talk(t, server.socketPath, [CHUNKED, ...Array.from({ length: 8 }, () => chunk), '0\r\n\r\n'])
  assert.match(text, /^HTTP\/1\.1 409 [^]*not now/)
})

test(
  'a client that leaves once its body was read is noticed, by whomever it was read',
  { timeout: 20_000 },
  async (t) => {
    for (const isTaken of [true, false]) {
      const left = defer<string>()
      const waiting = taking(async ({ body, bodyOnConnection, stream, signal }) => {
        if (isTaken) {
          const taken = bodyOnConnection?.take()
          let raw = Buffer.from(taken?.begun ?? '').toString('latin1')
          while (taken && !raw.endsWith('0\r\n\r\n')) raw += await readSome(taken.descriptor)
          bodyOnConnection?.giveBack()
        } else {
          await Array.fromAsync(body)
        }
        const reply = stream('text/plain')
        await reply.write('begun')
        signal.addEventListener('abort', () => left.resolve('left'))
        await left.promise
      })
      await using server = await serve([waiting])
      const socket = connect(server.socketPath)
      t.after(() => socket.destroy())
      socket.write(`${CHUNKED}3\r\nabc\r\n`)
      setImmediate(() => socket.write('0\r\n\r\n'))
      await once(socket, 'data')
      socket.destroy()
      assert.equal(await left.promise, 'left')
    }
  },
)

for (const { name, pieces, word } of [
  { name: 'with its head', pieces: [`${CHUNKED}7\r\nchunked\r\n0\r\n\r\n`], word: 'whole' },
  { name: 'without its end', pieces: [`${CHUNKED}7\r\nchunked\r\n`], word: 'begun' },
])
  test(`a body that comes ${name} is ${word}`, async (t) => {
    await using server = await serve([wondering])
    assert.match(await talk(t, server.socketPath, pieces), new RegExp(`\\r\\n\\r\\n${word}$`))
  })
