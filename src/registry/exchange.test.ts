import { collect, EngineError, sleep } from '#base'
import { listen } from '#test/loopback'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { createHttp, type HttpReply } from './http.ts'

const BLOB = randomBytes(1_000_000)

interface Scene {
  /** Asks for the rest of the blob. */
  readonly ask: (from: number, signal?: AbortSignal) => Promise<HttpReply>
  readonly ranges: readonly string[]
}

/** A server that has the blob, and does with a reply what the test says. */
async function scene(
  answer: (reply: ServerResponse, rest: Buffer) => void,
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  const ranges: string[] = []
  const server = await listen((request: IncomingMessage, reply) => {
    const { range = '' } = request.headers
    ranges.push(range)
    const rest = BLOB.subarray(Number(/\d+/.exec(range)?.[0]))
    reply.writeHead(206, { 'content-length': rest.length })
    answer(reply, rest)
  })
  const http = createHttp({ host: server.host, trustAny: false })
  try {
    await work({
      ranges,
      ask: (from, signal) =>
        http.send({
          method: 'GET',
          url: new URL(`http://${server.host}/blob`),
          headers: { range: `bytes=${from}-` },
          ...(signal && { signal }),
        }),
    })
  } finally {
    await http[Symbol.asyncDispose]()
    await server.close()
  }
}

/** Sends so many bytes, and cuts the connection once they are on their way. */
function cutAfter(count: number): (reply: ServerResponse, rest: Buffer) => void {
  return (reply, rest) => {
    if (rest.length <= count) reply.end(rest)
    else reply.write(rest.subarray(0, count), () => reply.destroy())
  }
}

test('every byte that came before a cut is given, however slowly it is read: the next range starts after it', async () => {
  await scene(cutAfter(100_000), async ({ ask, ranges }) => {
    const received: Uint8Array[] = []
    const count = (): number => received.reduce((sum, chunk) => sum + chunk.length, 0)
    while (count() < BLOB.length) {
      const reply = await ask(count())
      try {
        for await (const chunk of reply.body) {
          received.push(chunk)
          await sleep(30)
        }
      } catch (error) {
        assert.ok(error instanceof EngineError && error.kind === 'unavailable', String(error))
      }
    }
    assert.deepEqual(Buffer.concat(received), BLOB)
    assert.deepEqual(
      ranges,
      Array.from({ length: 10 }, (_, index) => `bytes=${index * 100_000}-`),
    )
  })
})

test('a reader that stands still makes the server wait, and gets everything in the end', async () => {
  const big = Buffer.concat(Array.from({ length: 40 }, () => BLOB))
  let written = false
  const answer = (reply: ServerResponse): void => {
    reply.removeHeader('content-length')
    reply.write(big, () => (written = true))
    reply.end()
  }
  const server = await listen((_, reply) => answer(reply))
  const http = createHttp({ host: server.host, trustAny: false })
  const reply = await http.send({ method: 'GET', url: new URL(`http://${server.host}/`), headers: {} })
  await sleep(300)
  assert.equal(written, false)
  assert.ok((await collect(reply.body)).equals(big))
  await http[Symbol.asyncDispose]()
  await server.close()
})

test('leaving early, discarding and cancelling close the connection; a short rest is read', async () => {
  const ends: boolean[] = []
  const answer = (reply: ServerResponse, rest: Buffer): void => {
    reply.once('close', () => ends.push(reply.writableFinished))
    if (rest.length <= 1000) reply.end(rest)
    else reply.write(rest.subarray(0, 100_000))
  }
  await scene(answer, async ({ ask }) => {
    const closed = async (count: number): Promise<void> => {
      while (ends.length < count) await sleep(1)
    }
    for await (const chunk of (await ask(0)).body) if (chunk.length > 0) break
    await closed(1)
    await (await ask(0)).discard()
    await closed(2)
    const controller = new AbortController()
    const { body } = await ask(0, controller.signal)
    setTimeout(() => controller.abort(), 20)
    await assert.rejects(collect(body), (error) => error instanceof EngineError && error.kind === 'cancelled')
    await closed(3)
    await (await ask(BLOB.length - 1000)).discard()
    await closed(4)
  })
  assert.deepEqual(ends, [false, false, false, true])
})
