import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAnswer } from './monitor.ts'

for (const [text, expected] of [
  ['{"data": 12}\n', { pid: 12 }],
  ['{"data": -1, "message": "no\\n"}\n', { failure: 'no' }],
  ['{"data": -1}', { failure: 'the runtime ended with -1' }],
  ['', undefined],
  ['[]', undefined],
] as const)
  test(`parseAnswer() of ${JSON.stringify(text)}`, () => assert.deepEqual(parseAnswer(text), expected))
