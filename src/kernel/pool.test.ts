import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineError, errnoOf, isKind } from '#base'
import { isErrno } from '#kernel/call'
import { createWorkerPool } from './pool.ts'

const entry = new URL('./pool.test-worker.ts', import.meta.url)

test('a job gets its input, reports, and gives its output', async () => {
  await using pool = createWorkerPool({ entry })
  const reports: unknown[] = []
  const output = await pool.run<number, number>('test.double', 21, { onReport: (value) => reports.push(value) })
  assert.equal(output, 42)
  assert.deepEqual(reports, [{ got: 21 }])
})

test('errors of a job keep kind, details, errno and text', async () => {
  await using pool = createWorkerPool({ entry, size: 1 })
  await assert.rejects(pool.run('test.fail', 'engine'), (error) => {
    assert.ok(error instanceof EngineError)
    assert.equal(error.kind, 'conflict')
    assert.equal(error.message, 'no room')
    assert.deepEqual(error.details, { room: 'none' })
    return true
  })
  await assert.rejects(
    pool.run('test.fail', 'kernel'),
    (error) => isErrno(error, 'ENOENT') && error.path === '/no/such',
  )
  await assert.rejects(pool.run('test.fail', 'node'), (error) => errnoOf(error) === 'ENOENT')
  await assert.rejects(pool.run('test.none', 1), (error) => isKind(error, 'internal'))
})

test('an aborted job stops at its next look and ends as cancelled; a waiting one at once', async () => {
  await using pool = createWorkerPool({ entry, size: 1 })
  const [running, waiting] = [new AbortController(), new AbortController()]
  const first = pool.run('test.spin', 0, { signal: running.signal, onReport: () => waiting.abort() })
  const second = pool.run('test.double', 1, { signal: waiting.signal })
  await assert.rejects(second, (error) => isKind(error, 'cancelled'))
  running.abort()
  await assert.rejects(first, (error) => isKind(error, 'cancelled') && error.message === 'spin: cancelled')
})

test('a dying thread fails its job as internal and is replaced', async () => {
  await using pool = createWorkerPool({ entry, size: 1 })
  await assert.rejects(pool.run('test.die', 0), (error) => isKind(error, 'internal') && /test\.die/.test(error.message))
  assert.equal(await pool.run('test.double', 2), 4)
})

test('short jobs pass by bulk jobs that fill the pool', async () => {
  await using pool = createWorkerPool({ entry, size: 2 })
  const stop = new AbortController()
  const bulk = [1, 2].map((n) => pool.run('test.spin', n, { signal: stop.signal }))
  assert.equal(await pool.run('test.double', 5, { lane: 'short' }), 10)
  stop.abort()
  const ends = await Promise.allSettled(bulk)
  assert.ok(ends.every((end) => end.status === 'rejected' && isKind(end.reason, 'cancelled')))
})

test('jobs that wait for clients hold up nobody else, and each other only beyond a limit', async () => {
  await using pool = createWorkerPool({ entry, size: 1, streams: 3 })
  const stop = new AbortController()
  const options = { signal: stop.signal, lane: 'stream' } as const
  const streams = Array.from({ length: 4 }, (_, n) => pool.run('test.wait', n, options))
  assert.equal(await pool.run('test.double', 5), 10)
  assert.equal(await pool.run('test.double', 6, { lane: 'short' }), 12)
  stop.abort()
  const ends = await Promise.allSettled(streams)
  assert.ok(ends.every((end) => end.status === 'rejected' && isKind(end.reason, 'cancelled')))
  assert.equal(await pool.run('test.double', 7), 14)
})

test('calls without a pause start no thread each, also where they are more than the pool has', async () => {
  await using pool = createWorkerPool({ entry, size: 1 })
  const options = { lane: 'stream' } as const
  const used = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const ids: number[] = []
      while (ids.length < 20) ids.push(await pool.run<undefined, number>('test.thread', undefined, options))
      return ids
    }),
  )
  assert.ok(new Set(used.flat()).size <= 4)
})

test('a closed pool stops its jobs and takes no more', async () => {
  const pool = createWorkerPool({ entry, size: 1 })
  const running = assert.rejects(pool.run('test.spin', 0), (error) => isKind(error, 'cancelled'))
  await pool[Symbol.asyncDispose]()
  await running
  await assert.rejects(pool.run('test.double', 1), (error) => isKind(error, 'unavailable'))
})

test('an input that cannot be cloned is refused and the thread stays usable', async () => {
  await using pool = createWorkerPool({ entry, size: 1 })
  await assert.rejects(
    pool.run('test.double', () => 1),
    (error) => isKind(error, 'internal'),
  )
  assert.equal(await pool.run('test.double', 3), 6)
})
