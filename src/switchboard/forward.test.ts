import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { test } from 'node:test'
import { createForwards } from './forward.ts'
import type { SwitchboardForward } from './types.ts'

const LOOPBACK = '127.0.0.1'

test('Forwards carries to its target, moves to another on the same port, and gives the port back', async () => {
  const forwards = createForwards()
  const [one, two] = [await serve('one'), await serve('two')]
  const port = await freePort()
  try {
    await forwards.set('c', [forward(port, one)])
    assert.equal(await read(port), 'one')
    await forwards.set('c', [forward(port, two)])
    assert.equal(await read(port), 'two')
    assert.deepEqual(forwards.containers(), ['c'])
    await forwards.set('c', [])
    await assert.rejects(read(port), { code: 'ECONNREFUSED' })
    assert.equal(forwards.size, 0)
  } finally {
    forwards.drop('c')
    for (const server of [one, two]) server.close()
  }
})

test('Forwards: where a place is taken nothing new is left', async () => {
  const forwards = createForwards()
  const [target, taken] = [await serve('target'), await serve('taken')]
  const port = await freePort()
  try {
    const wanted = [forward(port, target), forward(portOf(taken), target)]
    await assert.rejects(forwards.set('c', wanted), { code: 'EADDRINUSE' })
    await assert.rejects(read(port), { code: 'ECONNREFUSED' })
    assert.equal(await read(portOf(taken)), 'taken')
  } finally {
    forwards.drop('c')
    for (const server of [target, taken]) server.close()
  }
})

test('Forwards: an answer that comes after the end of the question arrives', async () => {
  const forwards = createForwards()
  const late = createServer({ allowHalfOpen: true }, (socket) => {
    let heard = ''
    socket.on('data', (chunk) => (heard += String(chunk)))
    socket.on('end', () => socket.end(`heard ${heard}`))
  })
  await new Promise<void>((resolve) => late.listen(0, LOOPBACK, resolve))
  const port = await freePort()
  try {
    await forwards.set('c', [forward(port, late)])
    assert.equal(await read(port, 'you'), 'heard you')
  } finally {
    forwards.drop('c')
    late.close()
  }
})

test('Forwards: a target that is not there, or that breaks off, ends the connection of who asks', async () => {
  const forwards = createForwards()
  const breaking = createServer((socket) => socket.resetAndDestroy())
  await new Promise<void>((resolve) => breaking.listen(0, LOOPBACK, resolve))
  const gone = await serve('gone')
  const nobody = forward(await freePort(), gone)
  gone.close()
  const port = await freePort()
  try {
    await forwards.set('c', [forward(port, breaking), nobody])
    for (const asked of [port, nobody.listen.port]) assert.equal(await read(asked).catch(() => ''), '')
  } finally {
    forwards.drop('c')
    breaking.close()
  }
})

test('Forwards: dropping cuts what is open', async () => {
  const forwards = createForwards()
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, LOOPBACK, resolve))
  const port = await freePort()
  await forwards.set('c', [forward(port, silent)])
  const accepted = new Promise<void>((resolve) => silent.once('connection', () => resolve()))
  const reading = read(port).catch(() => '')
  await accepted
  forwards.drop('c')
  assert.equal(await reading, '')
  silent.close()
})

function forward(port: number, target: Server): SwitchboardForward {
  return { protocol: 'tcp', listen: { ip: LOOPBACK, port }, to: { ip: LOOPBACK, port: portOf(target) } }
}

async function serve(text: string): Promise<Server> {
  const server = createServer((socket) => socket.end(text))
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = await serve('')
  const port = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** What a server says; where something is asked, after the end of the question. */
function read(port: number, question?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: LOOPBACK, allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
    socket.end(question ?? '')
  })
}
