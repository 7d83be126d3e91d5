import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base'
import { checkLines, checkNul } from './texts.ts'

const isInvalid = (error: unknown): boolean => isKind(error, 'invalid')

for (const text of ['a\nb', 'a\rb', 'a\tb', '\0', '\u001b[31m', '\u007f'])
  test(`checkLines() refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => checkLines('hostname', ['fine', text]), isInvalid))

test('checkLines() takes what stands in one line', () =>
  checkLines('hostname', [undefined, '', 'a b', 'ä_ö', 'a#b', '-', '.']))

test('checkNul() takes line feeds, and refuses a NUL byte with its place', () => {
  checkNul('environment variable', [undefined, 'A=b\nc', 'B=\u001b[31m'])
  assert.throws(() => checkNul('user', ['ro\0ot']), /invalid user "ro\\u0000ot": it has a NUL byte/)
})
