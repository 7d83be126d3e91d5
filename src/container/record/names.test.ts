import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkName, randomName } from './names.ts'
import { parseSignal } from './signal.ts'

test('randomName() is two words, and has a number where words run out', () => {
  assert.match(
    randomName(() => false),
    /^[a-z]+_[a-z]+$/,
  )
  const name = randomName(
    (taken) => !/\d/.test(taken),
    () => 7,
  )
  assert.match(name, /^[a-z]+_[a-z]+7$/)
})

test('checkName() takes the slash away', () =>
  assert.equal(
    checkName('/a.b-c_1', () => undefined),
    'a.b-c_1',
  ))

for (const name of ['', 'a', '-a', 'a b', 'a/b', 'é1', '_a'])
  test(`checkName() refuses "${name}"`, () =>
    assert.throws(() => checkName(name, () => undefined), {
      kind: 'invalid',
      message: `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    }))

for (const [text, number] of [
  ['KILL', 9],
  ['sigterm', 15],
  ['2', 2],
  ['RTMIN+3', 37],
  ['SIGRTMAX', 64],
] as const)
  test(`parseSignal() of ${text}`, () => assert.equal(parseSignal(text), number))

for (const text of ['', '0', '65', 'NOPE', '-9', 'RTMIN+40', '1.5'])
  test(`parseSignal() refuses "${text}"`, () =>
    assert.throws(() => parseSignal(text), { kind: 'invalid', message: `invalid signal: ${text}` }))
