import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createContainerLock } from './lock.ts'

test('changes of one container follow each other, and wait for a long one', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const lock = createContainerLock(() => false)
  const first = Promise.withResolvers<void>()
  const said: string[] = []
  const runs = [
    lock.run('a', async () => await first.promise.then(() => said.push('first'))),
    lock.run('a', async () => said.push('second')),
    lock.run('b', async () => said.push('other')),
  ]
  await runs[2]
  t.mock.timers.tick(10_000)
  first.resolve()
  await Promise.all(runs)
  assert.deepEqual(said, ['other', 'first', 'second'])
})

test('a change that waits for a copy is refused after a while, and not done later', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const lock = createContainerLock((id) => id === 'a')
  const copy = Promise.withResolvers<void>()
  const copying = lock.run('a', () => copy.promise)
  let done = false
  const start = lock.run('a', async () => void (done = true))
  await new Promise((resolve) => setImmediate(resolve))
  t.mock.timers.tick(2000)
  await assert.rejects(start, { kind: 'conflict', message: 'container a is being copied from or to' })
  copy.resolve()
  await copying
  await lock.run('a', async () => assert.equal(done, false))
})
