import assert from 'node:assert/strict'
import { test } from 'node:test'
import { standsFor } from './network.ts'

test('standsFor() takes a name for the network that has it, though the id of another begins so', () => {
  const [one, other] = [
    { id: 'ab12', name: 'db' },
    { id: 'db34', name: 'web' },
  ]
  const known = [one, other]
  assert.deepEqual(
    [standsFor('db', one, known), standsFor('db', other, known), standsFor('db3', other, known)],
    [true, false, true],
  )
  assert.deepEqual([standsFor('', other, known), standsFor('ab12', other, known)], [false, false])
})
