import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageOf } from './error.ts'

test('messageOf() leaves out the descriptor that a path was opened by', () => {
  const error = new Error("ENAMETOOLONG: name too long, lstat '/proc/self/fd/52/long/name'")
  assert.equal(messageOf(error), "ENAMETOOLONG: name too long, lstat 'long/name'")
  assert.deepEqual([messageOf(new Error('/proc/self/fd')), messageOf('text')], ['/proc/self/fd', 'text'])
})
