import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseChmod } from './chmod.ts'

test('parseChmod() reads octal and symbolic modes', () => {
  const table = [
    ['755', 0o600, false, 0o755],
    ['0', 0o777, false, 0],
    ['07777', 0, false, 0o7777],
    ['u+x', 0o644, false, 0o744],
    ['u=rwX,go=rX', 0o640, false, 0o644],
    ['u=rwX,go=rX', 0o640, true, 0o755],
    ['a-w', 0o666, false, 0o444],
    ['+x', 0o644, false, 0o755],
    ['g+s,+t', 0o755, true, 0o3755],
    ['u+s', 0o755, false, 0o4755],
    ['go=', 0o777, false, 0o700],
  ] as const
  for (const [text, mode, folder, expected] of table)
    assert.equal(parseChmod(text)(mode, folder).toString(8), expected.toString(8), text)
})

test('parseChmod() refuses what is neither', () => {
  for (const text of ['9', '77777', 'x', 'u', 'u+q', '', 'u+x,'])
    assert.throws(() => parseChmod(text), { kind: 'invalid', message: /invalid chmod parameter/ }, text)
})
