import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathPattern } from './image-filter.ts'

/** As Go's path.Match. */
const CASES: readonly (readonly [string, string, boolean])[] = [
  ['busybox', 'busybox', true],
  ['busybox', 'busybox:latest', false],
  ['b*x', 'busybox', true],
  ['*', 'user/app', false],
  ['*/*', 'user/app', true],
  ['user/*:1.?', 'user/app:1.2', true],
  ['user/*:1.?', 'user/app:1.22', false],
  ['[a-c]pp', 'bpp', true],
  ['[^a-c]pp', 'bpp', false],
  ['a.c', 'abc', false],
  ['a\\*c', 'a*c', true],
  ['a\\*c', 'abc', false],
  ['a+(b)$', 'a+(b)$', true],
]

for (const [pattern, text, fits] of CASES)
  test(`pathPattern(): ${pattern} ${fits ? 'fits' : 'does not fit'} ${text}`, () => {
    assert.equal(pathPattern(pattern)?.test(text), fits)
  })

for (const pattern of ['[', '[]', 'a[b', 'a\\', '[b-a]'])
  test(`pathPattern() has nothing for the malformed ${pattern}`, () => {
    assert.equal(pathPattern(pattern), undefined)
  })
