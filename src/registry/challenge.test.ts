import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseChallenges } from './challenge.ts'

const CASES = [
  ['Basic realm="x"', [['basic', { realm: 'x' }]]],
  [
    'Bearer realm="https://a/t?x=1,2",service="reg",scope="repository:a/b:pull,push"',
    [['bearer', { realm: 'https://a/t?x=1,2', service: 'reg', scope: 'repository:a/b:pull,push' }]],
  ],
  [
    'Basic realm="a", Bearer realm="b"',
    [
      ['basic', { realm: 'a' }],
      ['bearer', { realm: 'b' }],
    ],
  ],
  ['BEARER Realm = plain , Service="a \\"b\\""', [['bearer', { realm: 'plain', service: 'a "b"' }]]],
  ['Negotiate', [['negotiate', {}]]],
  ['Basic realm="open', [['basic', {}]]],
  ['', []],
  ['=', []],
] as const

for (const [text, expected] of CASES) {
  test(`parseChallenges() reads ${text}`, () => {
    const found = parseChallenges(text).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
    assert.deepEqual(found, expected)
  })
}

test('parseChallenges() takes any text', () => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseChallenges(text))))
})
