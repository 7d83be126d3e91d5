import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decode, encode } from '#test/resolver'
import { createUnframer, frame } from './frame.ts'
import { answers, encodeAnswer, encodeName, parseQuery, type Query, readdress } from './message.ts'

function queryOf(message: Buffer): Query {
  const parsed = parseQuery(message)
  assert.equal(parsed.kind, 'query')
  return parsed.query
}

test('parseQuery() reads name, type and what the client takes', () => {
  const plain = queryOf(encode(0x1234, { name: 'Web.Front', type: 'AAAA' }))
  assert.deepEqual(
    [plain.id, plain.name, plain.type, plain.size, plain.extended],
    [0x1234, 'web.front', 28, 512, false],
  )
  const extended = queryOf(encode(1, { name: 'a', type: 'A', size: 1400 }))
  assert.deepEqual([extended.size, extended.extended], [1400, true])
  assert.equal(queryOf(encode(1, { name: 'a', type: 'A', size: 100 })).size, 512)
})

const GOOD = encode(9, { name: 'web', type: 'A', size: 1232 })

for (const [what, change, code] of [
  ['two questions', (bytes: Buffer) => void bytes.writeUInt16BE(2, 4), 1],
  ['no question', (bytes: Buffer) => void bytes.writeUInt16BE(0, 4), 1],
  ['a pointer as a name', (bytes: Buffer) => void bytes.writeUInt16BE(0xc00c, 12), 1],
  ['a label beyond the end', (bytes: Buffer) => void bytes.writeUInt8(63, 12), 1],
  ['a record longer than the message', (bytes: Buffer) => void bytes.writeUInt16BE(9, bytes.length - 2), 1],
  ['another operation', (bytes: Buffer) => void bytes.writeUInt16BE(0x2800, 2), 4],
] as const)
  test(`parseQuery() refuses ${what}`, () => {
    const bytes = Buffer.from(GOOD)
    change(bytes)
    const parsed = parseQuery(bytes)
    assert.equal(parsed.kind, 'refused')
    assert.deepEqual([parsed.answer.readUInt16BE(0), decode(parsed.answer).code], [9, code])
  })

test('parseQuery() does not answer answers', () => {
  const bytes = Buffer.from(GOOD)
  bytes.writeUInt16BE(0x8180, 2)
  assert.equal(parseQuery(bytes).kind, 'ignored')
})

test('any bytes are refused, ignored, or answered by a message that can be read', () => {
  const edits = fc.array(fc.tuple(fc.nat(GOOD.length - 1), fc.nat(255)), { maxLength: 6 })
  const damaged = fc.tuple(edits, fc.nat(GOOD.length)).map(([changes, length]) => {
    const bytes = Buffer.from(GOOD)
    for (const [at, value] of changes) bytes[at] = value
    return bytes.subarray(0, length)
  })
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
    damaged,
  )
  fc.assert(
    fc.property(any, (bytes) => {
      const parsed = parseQuery(bytes)
      if (parsed.kind === 'ignored') return
      const answer = parsed.kind === 'refused' ? parsed.answer : encodeAnswer(parsed.query, 2)
      assert.equal(answer.readUInt16BE(0), bytes.readUInt16BE(0))
      decode(answer)
    }),
    { numRuns: 3000 },
  )
})

test('encodeAnswer() leaves out what does not fit, and says so', () => {
  const records = Array.from({ length: 60 }, (_, index) => ({ type: 1, data: Uint8Array.of(10, 0, 0, index) }))
  fc.assert(
    fc.property(fc.integer({ min: 512, max: 4096 }), (limit) => {
      const answer = encodeAnswer(queryOf(GOOD), 0, records, limit)
      assert.ok(answer.length <= limit)
      const read = decode(answer)
      assert.equal(read.truncated, read.records.length < records.length)
      assert.ok(read.truncated ? limit - answer.length < 16 : read.records.length === 60)
    }),
  )
})

test('answers() knows the answer to a question from any other', () => {
  const { question } = queryOf(encode(5, { name: 'a.b', type: 'A' }))
  const answer = encodeAnswer(queryOf(encode(5, { name: 'a.b', type: 'A' })), 3)
  assert.equal(answers(answer, 5, question), true)
  assert.equal(answers(answer, 6, question), false)
  assert.equal(answers(encodeAnswer(queryOf(encode(5, { name: 'a.c', type: 'A' })), 3), 5, question), false)
  assert.equal(readdress(answer, 77).readUInt16BE(0), 77)
})

test('encodeName() refuses what is no name', () => {
  assert.deepEqual(encodeName('ab.c'), Buffer.from('\x02ab\x01c\0', 'latin1'))
  for (const name of ['', 'a..b', 'x'.repeat(64), `${'x'.repeat(60)}.`.repeat(5)])
    assert.equal(encodeName(name), undefined)
})

test('messages come whole out of a stream, however it is cut', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 })
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 300 }), (sent, step) => {
      const bytes = Buffer.concat(sent.map(frame))
      const unframer = createUnframer()
      const got: Buffer[] = []
      for (let at = 0; at < bytes.length; at += step) got.push(...unframer.push(bytes.subarray(at, at + step)))
      assert.deepEqual(
        got.map((one) => [...one]),
        sent.map((one) => [...one]),
      )
    }),
  )
})
