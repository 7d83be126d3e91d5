import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf } from '#base'
import { decodeLines, encodeLine, formatSize, progressText } from './lines.ts'

async function decode(...pieces: readonly (Uint8Array | string)[]): Promise<readonly unknown[]> {
  return await Array.fromAsync(decodeLines(bytesOf(...pieces)))
}

test('encodeLine() ends with CR LF and escapes nothing for HTML', () => {
  assert.equal(encodeLine({ stream: ' ---> <missing>' }), '{"stream":" ---> <missing>"}\r\n')
})

test('decodeLines() reads lines wherever they are cut, blank ones left out, the last without its end', async () => {
  assert.deepEqual(await decode('{"a"', ':1}\r', '\n\n{"b":2}\n', '{"c":3}'), [{ a: 1 }, { b: 2 }, { c: 3 }])
})

test('decodeLines() reads a character that is cut in two', async () => {
  const bytes = Buffer.from('{"a":"ä"}\n')
  assert.deepEqual(await decode(bytes.subarray(0, 7), bytes.subarray(7)), [{ a: 'ä' }])
})

test('decodeLines() refuses what is not JSON', async () => {
  await assert.rejects(decode('{"a":1}\nnope\n'), { kind: 'corrupt' })
})

const SIZES: readonly (readonly [number, string])[] = [
  [0, '0B'],
  [999, '999B'],
  [1000, '1kB'],
  [2_063_487, '2.063MB'],
  [164_047_917, '164MB'],
  [5e12, '5TB'],
]

for (const [bytes, text] of SIZES) {
  test(`formatSize() says ${text} for ${bytes}`, () => {
    assert.equal(formatSize(bytes), text)
  })
}

test('progressText() draws a bar of fifty', () => {
  assert.equal(progressText(25, 100), `[${'='.repeat(12)}>${' '.repeat(38)}]      25B/100B`)
  assert.equal(progressText(100, 100), `[${'='.repeat(50)}>]     100B/100B`)
  assert.equal(progressText(2000, 0), '     2kB')
})
