import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createQuery } from './query.ts'

const query = (text: string) => createQuery(text)

for (const [text, value] of [
  ['', false],
  ['a', false],
  ['a=0', false],
  ['a=no', false],
  ['a=False', false],
  ['a=none', false],
  ['a=1', true],
  ['a=true', true],
  ['a=x', true],
] as const) {
  test(`flag() reads «${text}» as ${value}`, () => assert.equal(query(text).flag('a'), value))
}

test('flag() takes its default where the parameter is absent or empty', () => {
  assert.equal(query('').flag('a', true), true)
  assert.equal(query('a=').flag('a', true), true)
  assert.equal(query('a=0').flag('a', true), false)
})

test('integer() refuses what is not a whole number', () => {
  assert.equal(query('t=-1').integer('t'), -1)
  assert.equal(query('').integer('t'), undefined)
  for (const text of ['t=x', 't=1.5', 't=1e3', 't=99999999999999999']) {
    assert.throws(() => query(text).integer('t'), { kind: 'invalid' })
  }
})

test('list() gives every value in order', () => {
  assert.deepEqual(query('t=a&t=&t=b%20c').list('t'), ['a', 'b c'])
})

test('json() names the parameter that is malformed', () => {
  assert.deepEqual(query('labels={"a":"b"}').json('labels'), { a: 'b' })
  assert.throws(() => query('labels={').json('labels'), { kind: 'invalid', message: /^error reading labels: / })
})

test('name() gives the bytes of a path, whatever they are', () => {
  assert.equal(query('x=1&path=%2Fa+b%2Fbad%FF%C3%A9').name('path'), '/a b/bad\u00ff\u00c3\u00a9')
  assert.equal(query('path=a=b').name('path'), 'a=b')
  assert.deepEqual(
    [query('path=').name('path'), query('xpath=1').name('path'), query('').name('path')],
    Array(3).fill(undefined),
  )
})
