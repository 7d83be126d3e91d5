import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { serve, type Serving } from '#test/serving'
import type { Route } from './route.ts'

/** Sends everything back; the word «end» ends it. */
const echo: Route = {
  method: 'GET',
  pattern: '/ws',
  hijacks: true,
  async handle(exchange) {
    const client = exchange.webSocket('binary')
    if (!client) return exchange.reply(400, 'not websocket protocol')
    for await (const chunk of client.input) {
      if (Buffer.from(chunk).toString() === 'end') break
      await client.write(chunk)
    }
    client.end()
  },
}

interface Opened {
  readonly socket: WebSocket
  /** All bytes so far. */
  readonly heard: () => Buffer
  readonly hear: (length: number) => Promise<void>
}

async function open(server: Serving): Promise<Opened> {
  const socket = new WebSocket(`ws://${server.address}/v1.51/ws`)
  socket.binaryType = 'arraybuffer'
  const parts: Buffer[] = []
  const total = (): number => parts.reduce((sum, part) => sum + part.length, 0)
  socket.addEventListener('message', ({ data }) => {
    if (data instanceof ArrayBuffer) parts.push(Buffer.from(data))
  })
  await once(socket, 'open')
  return {
    socket,
    heard: () => Buffer.concat(parts),
    hear: async (length) => {
      while (total() < length) await once(socket, 'message')
    },
  }
}

test('a WebSocket carries text and bytes of all sizes both ways', async () => {
  await using server = await serve([echo])
  const { socket, heard, hear } = await open(server)
  const sent: Buffer[] = []
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1 << 20]) {
    const bytes = Buffer.alloc(size, `${size}`)
    socket.send(bytes)
    sent.push(bytes)
  }
  socket.send('tëxt')
  const all = Buffer.concat([...sent, Buffer.from('tëxt')])
  await hear(all.length)
  assert.equal(heard().equals(all), true)
  const closed = once(socket, 'close')
  socket.close()
  const [event]: { readonly wasClean?: boolean }[] = await closed
  assert.equal(event?.wasClean, true)
})

test('the end of a stream closes the WebSocket', async () => {
  await using server = await serve([echo])
  const { socket } = await open(server)
  const closed = once(socket, 'close')
  socket.send('end')
  const [event]: { readonly code?: number; readonly wasClean?: boolean }[] = await closed
  assert.deepEqual([event?.code, event?.wasClean], [1000, true])
})

const HANDSHAKE = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='

/** Speaks bytes; answers all that came until the server ended. */
async function speak(t: TestContext, server: Serving, lines: string, bytes: readonly number[] = []): Promise<Buffer> {
  const socket = connect({ path: server.socketPath })
  t.after(() => socket.destroy())
  socket.write(`GET /ws HTTP/1.1\r\nHost: x\r\n${lines}\r\n\r\n`)
  socket.write(Buffer.from(bytes))
  return Buffer.concat(await Array.fromAsync(socket))
}

test('the answer to the key is that of RFC 6455, section 1.3; a ping is answered, a part of a message is taken', async (t) => {
  await using server = await serve([echo])
  const mask = [0, 0, 0, 0]
  const ping = [0x89, 0x81, ...mask, 120]
  const parts = [0x01, 0x81, ...mask, 97, 0x80, 0x81, 1, 1, 1, 1, 99]
  const close = [0x88, 0x80, ...mask]
  const heard = await speak(t, server, `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}`, [
    ...ping,
    ...parts,
    ...close,
  ])
  const [head = '', ...rest] = heard.toString('latin1').split('\r\n\r\n')
  assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  assert.match(head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=$/)
  assert.equal(rest.join('\r\n\r\n'), '\x8a\x01x\x82\x01a\x82\x01b\x88\x02\x03\xe8')
})

for (const [what, bytes] of [
  ['a frame without a mask', [0x82, 0x01, 97]],
  ['a reserved bit', [0xc2, 0x81, 0, 0, 0, 0, 97]],
  ['an opcode that is none', [0x83, 0x80, 0, 0, 0, 0]],
  ['a ping in parts', [0x09, 0x80, 0, 0, 0, 0]],
  ['a ping that is too long', [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
  ['a length beyond all numbers', [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]],
] as const)
  test(`${what} closes the WebSocket as a mistake`, async (t) => {
    await using server = await serve([echo])
    const heard = await speak(t, server, `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}`, bytes)
    assert.equal(heard.subarray(-4).toString('latin1'), '\x88\x02\x03\xea')
  })

for (const [what, headers] of [
  ['without an upgrade', {}],
  ['of another version', { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'x' }],
] as const)
  test(`a request ${what} is refused in Docker's words`, async () => {
    await using server = await serve([echo])
    const { status, text } = await server.call('/ws', { headers })
    assert.deepEqual([status, text], [400, 'not websocket protocol'])
  })

test('a WebSocket from a foreign page is refused', async () => {
  await using server = await serve([echo])
  const [host = '', port] = server.address.split(':')
  const socket = connect({ host, port: Number(port) })
  const head = `GET /ws HTTP/1.1\r\nHost: ${server.address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}`
  socket.write(`${head}\r\nOrigin: https://example.com\r\n\r\n`)
  const heard = Buffer.concat(await Array.fromAsync(socket)).toString()
  assert.match(heard, /^HTTP\/1\.1 403 [^]*it comes from https:\/\/example\.com/)
})
