import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutputChunk, StreamEnds } from '#runtime'
import { createHub } from './hub.ts'

interface Fake extends StreamEnds {
  say(text: string): void
  over(): void
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
  return createHub({ connect: async () => container, resize: async () => undefined, stdinOnce })
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

test('a client that reads nothing holds the container up, until its process is gone', async () => {
  const container = fake()
  const hub = hubOf(container)
  const slow = hub.join()
  const quick = hub.join()
  await hub.open()
  const big = 'x'.repeat(5 << 20)
  container.say(big)
  container.say('rest')
  container.over()
  hub.release()
  assert.equal((await textOf(quick)).length, big.length + 4)
  assert.equal((await textOf(slow)).length, big.length + 4)
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
  })
  await hub.open()
  assert.equal(connected, 0)
  const client = hub.join()
  await hub.open()
  await client[Symbol.asyncDispose]()
  assert.deepEqual([connected, container.heard], [1, ['<closed>']])
})
