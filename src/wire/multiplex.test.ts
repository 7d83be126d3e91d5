import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesOf, isKind } from '#base'
import { decodeFrames, encodeFrame, type StreamChunk } from './multiplex.ts'

async function decode(...pieces: readonly Uint8Array[]): Promise<readonly StreamChunk[]> {
  return await Array.fromAsync(decodeFrames(bytesOf(...pieces)))
}

/** Neighbouring chunks of one stream joined: where a frame was cut says nothing. */
function joined(chunks: readonly StreamChunk[]): readonly string[] {
  const texts: string[] = []
  let last: string | undefined
  for (const { stream, bytes } of chunks) {
    if (bytes.length === 0) continue
    const text = Buffer.from(bytes).toString('hex')
    if (stream === last) texts[texts.length - 1] += text
    else texts.push(`${stream} ${text}`)
    last = stream
  }
  return texts
}

test('encodeFrame() writes stream, three zeros, length and bytes', () => {
  assert.deepEqual(encodeFrame('stderr', Buffer.from('hi')), Buffer.from([2, 0, 0, 0, 0, 0, 0, 2, 0x68, 0x69]))
})

test('decodeFrames() gives back what was encoded, wherever the stream is cut', async () => {
  const chunk = fc.record({
    stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    bytes: fc.uint8Array({ maxLength: 40 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), fc.integer({ min: 1, max: 13 }), async (chunks, step) => {
      const all = Buffer.concat(chunks.map(({ stream, bytes }) => encodeFrame(stream, bytes)))
      const pieces: Buffer[] = []
      for (let at = 0; at < all.length; at += step) pieces.push(all.subarray(at, at + step))
      assert.deepEqual(joined(await decode(...pieces)), joined(chunks))
    }),
    { numRuns: 60 },
  )
})

test('decodeFrames() hands on the part of a frame that is here', async () => {
  const frame = encodeFrame('stdout', Buffer.from('hello'))
  const chunks = decodeFrames(
    (async function* () {
      yield frame.subarray(0, 10)
      throw new Error('the rest never comes')
    })(),
  )
  const { value } = await chunks[Symbol.asyncIterator]().next()
  assert.equal(Buffer.from(value.bytes).toString(), 'he')
})

const BROKEN: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: 'an unknown stream', bytes: Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]) },
  { name: 'a header without its zeros', bytes: Buffer.from([1, 0, 1, 0, 0, 0, 0, 0]) },
  { name: 'an end inside a header', bytes: Buffer.from([1, 0, 0]) },
  { name: 'an end inside a frame', bytes: encodeFrame('stdout', Buffer.from('hi')).subarray(0, 9) },
]

for (const { name, bytes } of BROKEN) {
  test(`decodeFrames() refuses ${name}`, async () => {
    await assert.rejects(decode(bytes), (error) => isKind(error, 'corrupt'))
  })
}
