import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { frame } from './frame.ts'
import { serveStream } from './listener.ts'

const LOOPBACK = '127.0.0.1'

/** A connection's two ends. */
async function connected(): Promise<{ readonly client: Socket; readonly served: Socket; readonly end: () => void }> {
  const came = Promise.withResolvers<Socket>()
  const server = createServer(came.resolve)
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  const client = connect((server.address() as AddressInfo).port, LOOPBACK)
  client.on('error', () => undefined)
  const served = await came.promise
  served.on('error', () => undefined)
  return { client, served, end: () => void [client.destroy(), served.destroy(), server.close()] }
}

test('serveStream() cuts off who asks on and reads nothing, and answers all that is read', async () => {
  const large = Buffer.alloc(60_000)
  const quiet = await connected()
  const answering = (): Buffer => large
  serveStream(quiet.served, answering)
  const closed = new Promise((resolve) => quiet.served.once('close', resolve))
  quiet.client.pause()
  for (let count = 0; count < 2000; count += 1) quiet.client.write(frame(Buffer.alloc(20)))
  await closed
  quiet.end()
  const usual = await connected()
  serveStream(usual.served, answering)
  let read = 0
  for (let count = 0; count < 10; count += 1) usual.client.write(frame(Buffer.alloc(20)))
  for await (const chunk of usual.client) {
    read += (chunk as Buffer).length
    if (read === 10 * (large.length + 2)) break
  }
  assert.equal(read, 10 * (large.length + 2))
  usual.end()
})
