import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { closeDescriptor, libc, writeDescriptor } from '#kernel/call'
import { readTaggedPackets } from './packet.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET = 5
const MSG_DONTWAIT = 0x40

function socketPair(t: TestContext): { readonly ours: number; theirs: number | undefined } {
  const ends = Buffer.alloc(8)
  assert.equal(libc().socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0)
  const pair: { readonly ours: number; theirs: number | undefined } = {
    ours: ends.readInt32LE(0),
    theirs: ends.readInt32LE(4),
  }
  t.after(() => {
    closeDescriptor(pair.ours)
    if (pair.theirs !== undefined) closeDescriptor(pair.theirs)
  })
  return pair
}

test('packets that lie there are one chunk for each run of a tag, and the bytes are whole', async (t) => {
  const pair = socketPair(t)
  const packets = ['2one', '2two', '3err', '3', '2three', '2']
  for (const packet of packets) await writeDescriptor(pair.theirs ?? -1, Buffer.from(packet))
  closeDescriptor(pair.theirs ?? -1)
  pair.theirs = undefined
  const chunks = await Array.fromAsync(readTaggedPackets(pair.ours))
  assert.deepEqual(
    chunks.map(({ tag, bytes }) => String.fromCharCode(tag) + Buffer.from(bytes).toString()),
    ['2onetwo', '3err', '2three'],
  )
})

test('what a peer said before it closed is read, also where it left packets of ours unread', async (t) => {
  const pair = socketPair(t)
  await writeDescriptor(pair.ours, Buffer.from('nobody reads this'))
  for (const packet of ['2last', '3words']) await writeDescriptor(pair.theirs ?? -1, Buffer.from(packet))
  closeDescriptor(pair.theirs ?? -1)
  pair.theirs = undefined
  const chunks = await Array.fromAsync(readTaggedPackets(pair.ours))
  assert.deepEqual(
    chunks.map(({ tag, bytes }) => String.fromCharCode(tag) + Buffer.from(bytes).toString()),
    ['2last', '3words'],
  )
})

test('much more than a buffer comes whole and in order', async (t) => {
  const pair = socketPair(t)
  const sent: Buffer[] = []
  const received: Buffer[] = []
  const writing = (async () => {
    for (let count = 0; count < 400; count += 1) {
      const bytes = Buffer.alloc(1 + ((count * 7919) % 8192), count % 251)
      sent.push(bytes)
      await writeDescriptor(pair.theirs ?? -1, Buffer.concat([Buffer.from([2]), bytes]))
    }
    closeDescriptor(pair.theirs ?? -1)
    pair.theirs = undefined
  })()
  for await (const { bytes } of readTaggedPackets(pair.ours)) received.push(Buffer.from(bytes))
  await writing
  assert.ok(Buffer.concat(received).equals(Buffer.concat(sent)))
})

test('an aborted signal ends it as cancelled', async (t) => {
  const pair = socketPair(t)
  const stop = new AbortController()
  const reading = Array.fromAsync(readTaggedPackets(pair.ours, { signal: stop.signal }))
  setImmediate(() => stop.abort())
  await assert.rejects(reading, { kind: 'cancelled' })
})

test('what is kept stays as it came; what was released is read into again', async (t) => {
  const pair = socketPair(t)
  const send = async (text: string): Promise<void> => await writeDescriptor(pair.theirs ?? -1, Buffer.from(text))
  const kept: Uint8Array[] = []
  const memory = new Set<ArrayBufferLike>()
  let count = 0
  await send('2first3second')
  for await (const { bytes, release } of readTaggedPackets(pair.ours)) {
    count += 1
    if (count % 2 === 0) kept.push(bytes)
    else {
      memory.add(bytes.buffer)
      release?.()
    }
    if (count === 20) break
    await send(`${count % 3}packet ${count}`)
  }
  assert.deepEqual(
    kept.map((bytes) => Buffer.from(bytes).toString()),
    Array.from({ length: 10 }, (_, index) => `packet ${2 * index + 1}`),
  )
  assert.ok(memory.size <= 9, `${memory.size} buffers`)
})

test('a sender that is busy may be further ahead', async (t) => {
  const pair = socketPair(t)
  const fillUp = (): number => {
    for (let count = 0; ; count += 1)
      if (libc().send(pair.theirs ?? -1, Buffer.alloc(8193, 2), 8193, MSG_DONTWAIT) < 0) return count
  }
  const sent = [fillUp()]
  let read = 0
  for await (const { bytes, release } of readTaggedPackets(pair.ours)) {
    read += bytes.length
    release?.()
    if (read < 8192 * sent.reduce((sum, count) => sum + count)) continue
    if (sent.length === 6) break
    sent.push(fillUp())
  }
  assert.ok(Math.max(...sent) > 4 * (sent[0] ?? 0), `packets at a time: ${sent.join(' ')}`)
})
