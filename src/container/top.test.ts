import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTable } from './top.ts'

test('parseTable() keeps the rows of these processes, the last column whole', () => {
  const text = 'UID   PID  CMD\nroot    1  init\nroot   22  sh -c  x y\n'
  assert.deepEqual(parseTable(text, new Set([22])), {
    titles: ['UID', 'PID', 'CMD'],
    processes: [['root', '22', 'sh -c x y']],
  })
  assert.throws(() => parseTable('A B\n', new Set()), { kind: 'internal' })
})
