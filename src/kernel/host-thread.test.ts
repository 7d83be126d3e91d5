import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base'
import { HostThreads } from './host-thread.ts'

const entry = new URL('./host-thread.test-worker.ts', import.meta.url)
const PATIENT = { asked: 60_000, most: 60_000 }

test('who looks elsewhere is answered while a file system hangs; who looks there is told so', async () => {
  await using threads = new HostThreads(entry, { asked: 1000, most: 9000 })
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
})

test('a thread that has not come to ask its file system is waited for, but not for ever', async () => {
  await using threads = new HostThreads(entry, { asked: 100, most: 3000 })
  const starve = (milliseconds: number): Promise<number> => threads.run('test.starve', { path: '/x', milliseconds })
  assert.equal(await starve(900), 900)
  await assert.rejects(starve(4000), /has not answered for 3\.\d s/)
})

test('closing does not wait for what hangs, and what comes after is put back', async () => {
  const threads = new HostThreads(entry, PATIENT)
  const discarded = Promise.withResolvers<number>()
  const hanging = threads.run('test.hang', { path: '/hung', milliseconds: 700 }, discarded.resolve)
  assert.equal(await threads.run('test.look', { path: '/a' }), '/a')
  await threads[Symbol.asyncDispose]()
  await assert.rejects(threads.run('test.look', { path: '/b' }), (error) => isKind(error, 'cancelled'))
  assert.equal(await discarded.promise, 700)
  assert.equal(await hanging, 700)
})

test('a thread that dies fails its own job alone', async () => {
  await using threads = new HostThreads(entry, PATIENT)
  await assert.rejects(threads.run('test.die', { path: '/x' }), (error) => isKind(error, 'internal'))
  assert.equal(await threads.run('test.look', { path: '/a' }), '/a')
})
