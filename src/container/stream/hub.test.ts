import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { shortId } from '#base'
import type { OutputChunk, StreamEnds } from '#runtime'
import { createHub } from './hub.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-hub-'))
test.after(() => rmSync(folder, { recursive: true }))
const spoolPath = (): string => join(folder, shortId())

interface Fake extends StreamEnds {
  say(text: string): void
  over(): void
  /** Chunks that were said and not yet taken. */
  left(): number
  readonly heard: string[]
}

/** The streams of a container that says what the test says. */
function fake(): Fake {
  const chunks: OutputChunk[] = []
  let wake = (): void => undefined
  let over = false
  const heard: string[] = []
  return {
    heard,
    left: () => chunks.length,
    say(text) {
      chunks.push({ stream: 'stdout', bytes: Buffer.from(text) })
      wake()
    },
    over() {
      over = true
      wake()
    },
    output: (async function* () {
      for (;;) {
        const chunk = chunks.shift()
        if (chunk) yield chunk
        else if (over) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    })(),
    write: async (bytes) => void heard.push(Buffer.from(bytes).toString()),
    closeInput: async () => void heard.push('<end>'),
    resize: async () => undefined,
    [Symbol.asyncDispose]: async () => void heard.push('<closed>'),
  }
}

async function textOf(streams: StreamEnds): Promise<string> {
  let text = ''
  for await (const { bytes } of streams.output) text += Buffer.from(bytes).toString()
  return text
}

function hubOf(container: Fake, stdinOnce = true) {
  return createHub({ connect: async () => container, resize: async () => undefined, stdinOnce, spoolPath })
}

test('all who are attached before the start get all of the output, and its end', async () => {
  const container = fake()
  const hub = hubOf(container)
  const texts = [hub.join(), hub.join()].map(textOf)
  await hub.open()
  container.say('one ')
  container.say('two')
  container.over()
  assert.deepEqual(await Promise.all(texts), ['one two', 'one two'])
})

test('input that comes before the start waits for it, and is in order', async () => {
  const container = fake()
  const hub = hubOf(container)
  const client = hub.join()
  const written = [client.write(Buffer.from('a')), client.write(Buffer.from('b')), client.closeInput()]
  await hub.open()
  await Promise.all(written)
  assert.deepEqual(container.heard, ['a', 'b', '<end>'])
})

test('the end of input stays with the client where stdin is not for one only', async () => {
  const container = fake()
  const hub = hubOf(container, false)
  const client = hub.join()
  await hub.open()
  await client.closeInput()
  assert.deepEqual(container.heard, [])
})

test('a start that failed ends those who wait', async () => {
  const hub = hubOf(fake())
  const client = hub.join()
  const text = textOf(client)
  const written = client.write(Buffer.from('lost'))
  hub.end()
  assert.equal(await text, '')
  await written
})

const MEGABYTE = 'x'.repeat(1 << 20)

test('a client that reads nothing holds up no other, and has all of it when it reads again', async () => {
  const container = fake()
  const hub = hubOf(container)
  const slow = hub.join()
  const quick = textOf(hub.join())
  await hub.open()
  for (let count = 0; count < 20; count += 1) container.say(`${count}${MEGABYTE}`)
  container.say('rest')
  container.over()
  const all = await quick
  assert.match(all, /^0x+1x+2x+.*19x+rest$/s)
  assert.ok((await textOf(slow)) === all)
  await slow[Symbol.asyncDispose]()
  assert.deepEqual(readdirSync(folder), [])
})

test('a container waits where nobody reads, until its process is gone', async () => {
  const container = fake()
  const hub = hubOf(container)
  const slow = hub.join()
  await hub.open()
  for (let count = 0; count < 20; count += 1) container.say(MEGABYTE)
  container.over()
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(container.left() > 10)
  hub.release()
  assert.equal((await textOf(slow)).length, 20 << 20)
  await slow[Symbol.asyncDispose]()
})

test('a slow client that reads now and then misses nothing', async () => {
  const container = fake()
  const hub = hubOf(container)
  const slow = hub.join()
  const quick = textOf(hub.join())
  await hub.open()
  let seen = ''
  const iterator = slow.output[Symbol.asyncIterator]()
  for (let count = 0; count < 30; count += 1) {
    container.say(`${count}${MEGABYTE}`)
    if (count % 3 === 0) seen += Buffer.from((await iterator.next()).value.bytes).toString()
  }
  container.over()
  const all = await quick
  for (let next = await iterator.next(); !next.done; next = await iterator.next())
    seen += Buffer.from(next.value.bytes).toString()
  assert.ok(seen === all)
  await slow[Symbol.asyncDispose]()
})

test('nobody connects where nobody is attached; the last who leaves closes the connection', async () => {
  const container = fake()
  let connected = 0
  const hub = createHub({
    connect: async () => {
      connected += 1
      return container
    },
    resize: async () => undefined,
    stdinOnce: false,
    spoolPath,
  })
  await hub.open()
  assert.equal(connected, 0)
  const client = hub.join()
  await hub.open()
  await client[Symbol.asyncDispose]()
  assert.deepEqual([connected, container.heard], [1, ['<closed>']])
})
