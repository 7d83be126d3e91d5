import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'node:test'
import { createBatch } from './batch.ts'

function recorder() {
  const written: string[] = []
  return { written, write: async (bytes: Uint8Array | string) => void written.push(Buffer.from(bytes).toString()) }
}

test('createBatch() writes what comes in one turn as one, in order', async () => {
  const { written, write } = recorder()
  const batch = createBatch({ write })
  for (const text of ['a', 'b', 'c']) await batch.add(Buffer.from(text))
  assert.deepEqual(written, [])
  await nextTurn()
  await nextTurn()
  assert.deepEqual(written, ['abc'])
  await batch.add(Buffer.from('d'))
  await batch.flush()
  await batch.flush()
  assert.deepEqual(written, ['abc', 'd'])
})

test('createBatch() waits for room once there is much', async () => {
  const { written, write } = recorder()
  const batch = createBatch({ write })
  const large = Buffer.alloc(70_000, 'x')
  await batch.add(Buffer.from('first'))
  await batch.add(large)
  assert.deepEqual(
    written.map((text) => text.length),
    [70_005],
  )
})
