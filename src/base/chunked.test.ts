import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyDecoder, type Framing } from './chunked.ts'

/** The body, with the framing in pieces of `size` bytes. */
function decode(text: string, framing: Framing, size = text.length): { readonly body: string; readonly done: boolean } {
  const decoder = new BodyDecoder(framing)
  let body = ''
  for (let at = 0; at < text.length; at += size) {
    const piece = Buffer.from(text.slice(at, at + size), 'latin1')
    decoder.push(piece, (bytes) => (body += Buffer.from(bytes).toString('latin1')))
  }
  return { body, done: decoder.done }
}

const WIKI = '4\r\nWiki\r\n6;a="b"\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1'

test('BodyDecoder takes the chunks off, cut anywhere, and leaves what comes behind', () => {
  for (const size of [1, 2, 3, 7, 16, WIKI.length])
    assert.deepEqual(decode(WIKI, 'chunked', size), { body: 'Wikipedia in \r\n\r\nchunks.', done: true })
})

test('BodyDecoder counts the bytes of a body with a length', () => {
  assert.deepEqual(decode('hello you', 5, 2), { body: 'hello', done: true })
  assert.deepEqual(decode('hell', 5), { body: 'hell', done: false })
  assert.deepEqual(decode('x', 0), { body: '', done: true })
})

test('BodyDecoder is not done before the last empty line', () => {
  assert.equal(decode(WIKI.slice(0, WIKI.indexOf('\r\n\r\nGET') + 3), 'chunked').done, false)
})

for (const text of [
  'x\r\n',
  '\r\n',
  '-1\r\n',
  '0x4\r\nWiki\r\n',
  '4\nWiki\n',
  '4\r\nWikipedia\r\n',
  ' 4\r\nWiki\r\n',
  '1234567890abc\r\n',
  `4;${'x'.repeat(5000)}`,
])
  test(`BodyDecoder refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
    assert.throws(() => decode(text, 'chunked'), { kind: 'invalid' })
  })
