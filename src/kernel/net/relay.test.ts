import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { isKind } from '#base'
import { relay } from './relay.ts'
import { shutdownWrite } from './socket.ts'

const HOST = '127.0.0.1'

/** Two ends of one connection; the second is not read by node. */
async function pair(t: TestContext): Promise<readonly [Socket, Socket]> {
  const accepted = Promise.withResolvers<Socket>()
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, accepted.resolve)
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve))
  const near = connect({ port: (server.address() as AddressInfo).port, host: HOST, allowHalfOpen: true })
  const far = await accepted.promise
  server.close()
  t.after(() => [near, far].forEach((socket) => socket.on('error', () => undefined).destroy()))
  return [near, far]
}

function descriptorOf(socket: Socket & { _handle?: { readonly fd: number } }): number {
  return socket._handle?.fd ?? -1
}

const open = (): number => readdirSync('/proc/self/fd').length

test('relay() moves every byte to a reader that is slow, ends with the source, and leaves no descriptor', async (t) => {
  const [[sender, from], [receiver, to]] = [await pair(t), await pair(t)]
  const before = open()
  const sent = createHash('sha256')
  const received = createHash('sha256')
  const moving = relay(descriptorOf(from), descriptorOf(to)).then(() => shutdownWrite(descriptorOf(to)))
  for (let count = 0; count < 60; count += 1) {
    const bytes = Buffer.alloc(1 + ((count * 99_991) % 1_000_000), count)
    sent.update(bytes)
    sender.write(bytes)
  }
  sender.end()
  let chunks = 0
  for await (const chunk of receiver) {
    received.update(chunk)
    chunks += 1
    if (chunks % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await moving
  assert.equal(received.digest('hex'), sent.digest('hex'))
  // The pipe is kept for the next.
  assert.ok(open() <= before + 2, `${open()} descriptors, ${before} before`)
})

test('relay() is ended by its signal, and fails where the other side is gone', async (t) => {
  const [[sender, from], [receiver, to]] = [await pair(t), await pair(t)]
  const stop = new AbortController()
  const moving = relay(descriptorOf(from), descriptorOf(to), { signal: stop.signal })
  setImmediate(() => stop.abort())
  await assert.rejects(moving, (error) => isKind(error, 'cancelled'))
  receiver.resetAndDestroy()
  const writing = setInterval(() => sender.write('x'), 5)
  await assert.rejects(relay(descriptorOf(from), descriptorOf(to)), /relay between sockets/)
  clearInterval(writing)
})
