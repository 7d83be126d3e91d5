import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind, sleep } from '#base'
import { HostThreads } from './host-thread.ts'

const entry = new URL('./host-thread.test-worker.ts', import.meta.url)

test('who looks elsewhere is answered while a file system hangs; who looks there is told so', async () => {
  await using threads = new HostThreads(entry)
  const discarded: unknown[] = []
  // More than there may be threads: those of one place wait for each other.
  const hanging = Array.from({ length: 12 }, (_, n) =>
    threads.run('test.hang', { path: `/hung/${n % 2}`, milliseconds: 4000 }, (output) => discarded.push(output)),
  )
  const failed = Promise.allSettled(hanging)
  for (const path of ['/a', '/b']) assert.equal(await threads.run('test.look', { path }), path)
  for (const end of await failed) {
    assert.ok(end.status === 'rejected' && isKind(end.reason, 'unavailable'))
    assert.match(
      String(end.reason),
      /cannot look at \/hung\/\d on the host: its file system has not answered for [12]\.\d s/,
    )
  }
  assert.deepEqual(discarded, [])
  assert.equal(await threads.run('test.look', { path: '/c' }), '/c')
  // what came to those who were told so is put back: of each place one was asked
  for (let waited = 0; discarded.length < 2 && waited < 10_000; waited += 50) await sleep(50)
  assert.deepEqual(discarded, [4000, 4000])
})

test('a thread that starts slowly or works is waited for', async () => {
  await using slow = new HostThreads(new URL('./host-thread.test-slow.ts', import.meta.url))
  await using threads = new HostThreads(entry)
  const ends = await Promise.all([
    threads.run('test.work', { path: '/x', milliseconds: 2500 }),
    threads.run('test.look', { path: '/x/y' }),
    slow.run('test.look', { path: '/z' }),
  ])
  assert.deepEqual(ends, [2500, '/x/y', '/z'])
})

test('closing does not wait for what hangs, and what comes after is put back', async () => {
  const threads = new HostThreads(entry)
  const discarded = Promise.withResolvers<number>()
  const hanging = threads.run('test.hang', { path: '/hung', milliseconds: 700 }, discarded.resolve)
  assert.equal(await threads.run('test.look', { path: '/a' }), '/a')
  await threads[Symbol.asyncDispose]()
  await assert.rejects(threads.run('test.look', { path: '/b' }), (error) => isKind(error, 'cancelled'))
  assert.equal(await discarded.promise, 700)
  assert.equal(await hanging, 700)
})

test('a thread that dies fails its own job alone', async () => {
  await using threads = new HostThreads(entry)
  await assert.rejects(threads.run('test.die', { path: '/x' }), (error) => isKind(error, 'internal'))
  assert.equal(await threads.run('test.look', { path: '/a' }), '/a')
})
