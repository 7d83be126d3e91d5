import assert from 'node:assert/strict'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { EngineError, errnoOf, isKind, sleep } from '#base'
import { isErrno, makeNode } from '#kernel/call'
import { createWorkerPool } from './pool.ts'
import type { Hang } from './types.ts'
import { unlessHung } from './unless-hung.ts'

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

test('threads end when they had no work for a while, the last one later', async (t) => {
  await using pool = createWorkerPool({ entry, size: 3 })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const thread = (): Promise<number> => pool.run('test.thread', undefined)
  const two = await Promise.all([thread(), thread()])
  assert.equal(new Set(two).size, 2)
  t.mock.timers.tick(16_000)
  const [last] = new Set(await Promise.all([thread(), thread()])).intersection(new Set(two))
  assert.ok(last !== undefined, 'one of them is kept')
  t.mock.timers.tick(16_000)
  const kept = await thread()
  t.mock.timers.tick(16_000)
  t.mock.timers.tick(290_000)
  assert.equal(await thread(), kept)
  t.mock.timers.tick(16_000)
  t.mock.timers.tick(310_000)
  assert.notEqual(await thread(), kept)
})

test('a thread without work gives memory back', async () => {
  await using pool = createWorkerPool({ entry, size: 1 })
  const rests = (): Promise<number> => pool.run('test.rests', undefined)
  assert.equal(await rests(), 0)
  for (const end = Date.now() + 10_000; (await rests()) === 0; await sleep(300)) assert.ok(Date.now() < end)
})

test('a pool that is closed while its thread rests takes nothing else with it', async () => {
  // to rest the thread loads native code, which must not be cut off
  for (const wait of [99, 100, 101, 102, 103, 104, 105, 106]) {
    await using pool = createWorkerPool({ entry, size: 1 })
    await pool.run('test.thread', 0)
    await sleep(wait)
  }
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

/** A pipe whose opening hangs in the kernel until `end`. */
function makeHang(context: TestContext): { readonly fifo: string; readonly end: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'mica-pool-'))
  const fifo = join(folder, 'fifo')
  makeNode(fifo, constants.S_IFIFO | 0o600, 0)
  const opened: number[] = []
  const end = (): void => void opened.push(openSync(fifo, 'r+'))
  context.after(() => {
    end()
    for (const fd of opened) closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  return { fifo, end }
}

test('jobs that hang in the kernel leave their share of the threads to others', async (context) => {
  await using pool = createWorkerPool({ entry, size: 2 })
  const { fifo, end } = makeHang(context)
  const hanging = [1, 2, 3, 4].map(() => pool.run('test.hang', fifo))
  hanging.push(...[1, 2].map(() => pool.run('test.hang', fifo, { lane: 'short' })))
  const begun = performance.now()
  assert.equal(await pool.run('test.double', 1), 2)
  assert.equal(await pool.run('test.double', 2, { lane: 'short' }), 4)
  context.diagnostic(`others waited for ${Math.round(performance.now() - begun)} ms`)
  end()
  assert.deepEqual(
    await Promise.all(hanging),
    hanging.map(() => fifo),
  )
})

test('a job that only takes its time is none that hangs: its share stays its own', async () => {
  await using pool = createWorkerPool({ entry, size: 1 })
  const order: string[] = []
  const slow = pool.run('test.slow', 1800, { onHang: () => order.push('hangs') }).then(() => order.push('slow'))
  await pool.run('test.double', 1).then(() => order.push('next'))
  await slow
  assert.deepEqual(order, ['slow', 'next'])
})

test('what waits behind more hanging jobs than there may be is told so', async (context) => {
  await using pool = createWorkerPool({ entry, size: 1, spare: 2 })
  const { fifo, end } = makeHang(context)
  const hanging = [1, 2, 3].map(() => pool.run('test.hang', fifo))
  await assert.rejects(pool.run('test.double', 1), (error) => {
    assert.ok(isKind(error, 'unavailable'))
    assert.match(
      String(error),
      /cannot begin job test\.double: 3 before it hang in the kernel, for up to \d\.\d s; mend/,
    )
    return true
  })
  end()
  await Promise.all(hanging)
  assert.equal(await pool.run('test.double', 2), 4)
})

test('of one thing that hangs no more jobs are begun, of others they are', async (context) => {
  await using pool = createWorkerPool({ entry, size: 1 })
  const { fifo, end } = makeHang(context)
  const hanging = [1, 2].map(() => pool.run('test.hang', fifo, { about: 'this' }))
  const hangs: Hang[] = []
  const next = pool.run('test.double', 1, { about: 'this', onHang: (hang) => hangs.push(hang) })
  const other = pool.run('test.double', 2, { about: 'that' })
  await assert.rejects(next, (error) => isKind(error, 'unavailable'))
  assert.equal(hangs[0]?.before, 2)
  assert.equal(await other, 4)
  await assert.rejects(pool.run('test.double', 1, { about: 'this' }), (error) => isKind(error, 'unavailable'))
  end()
  assert.deepEqual(await Promise.all(hanging), [fifo, fifo])
  assert.equal(await pool.run('test.double', 3, { about: 'this' }), 6)
})

test('jobs on our own files never wait for those on others’, however many of them hang', async (context) => {
  await using pool = createWorkerPool({ entry, size: 2, spare: 1 })
  const { fifo, end } = makeHang(context)
  const things = Array.from({ length: 6 }, (_, n) => ({ about: `thing ${n}` }))
  const hanging = Promise.allSettled(things.map((options) => pool.run('test.hang', fifo, options)))
  const begun = performance.now()
  assert.deepEqual(await Promise.all([1, 2, 3].map((n) => pool.run('test.double', n))), [2, 4, 6])
  assert.equal(await pool.run('test.double', 4, { lane: 'short' }), 8)
  context.diagnostic(`they waited for ${Math.round(performance.now() - begun)} ms`)
  end()
  await hanging
})

test('who waits for a disk that is busy does not hang', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const pressure = join(folder, 'io')
  const press = (): void => {
    writeFileSync(pressure, `some avg10=50.00 total=${Math.round(performance.now() * 500)}\nfull avg10=0.00 total=0\n`)
  }
  press()
  await using pool = createWorkerPool({ entry, size: 2, pressure })
  const { fifo, end } = makeHang(context)
  const times = setInterval(press, 20)
  const told = Promise.withResolvers<Hang>()
  const hanging = pool.run('test.hang', fifo, { onHang: told.resolve })
  assert.equal(await Promise.race([told.promise, sleep(2500).then(() => 'waits')]), 'waits')
  clearInterval(times)
  assert.ok((await told.promise).milliseconds > 2500)
  end()
  await hanging
})

test('unlessHung() tells the caller, and holds what the job has until it comes back', async (context) => {
  await using pool = createWorkerPool({ entry, size: 1 })
  const { fifo, end } = makeHang(context)
  const released = Promise.withResolvers<unknown>()
  const hangs: Hang[] = []
  const work = unlessHung('cannot look', undefined, async ({ signal, onHang }) => {
    const told = (hang: Hang): void => {
      hangs.push(hang)
      onHang(hang)
    }
    try {
      return await pool.run<string, string>('test.hang', fifo, { signal, onHang: told })
    } catch (error) {
      released.resolve(error)
      throw error
    }
  })
  const early = Promise.race([released.promise, work.catch(() => 'told')])
  await assert.rejects(work, /cannot look: its file system has not answered for \d\.\d s; mend or unmount that/)
  assert.equal(await early, 'told')
  assert.equal(hangs.length, 1)
  end()
  assert.ok(isKind(await released.promise, 'cancelled'))
})

test('unlessHung() discards what comes too late, and passes on what comes in time', async (context) => {
  await using pool = createWorkerPool({ entry, size: 1 })
  const { fifo, end } = makeHang(context)
  const discarded = Promise.withResolvers<string>()
  const run = (job: string): Promise<string> =>
    unlessHung(
      'cannot look',
      undefined,
      async ({ onHang }) => await pool.run<string, string>(job, fifo, { onHang }),
      discarded.resolve,
    )
  await assert.rejects(run('test.hang'), /cannot look/)
  end()
  assert.equal(await discarded.promise, fifo)
  assert.equal(await unlessHung('x', undefined, async () => 'fine'), 'fine')
  await assert.rejects(
    unlessHung('x', undefined, async () => Promise.reject(new RangeError('own'))),
    /own/,
  )
})

test('closing does not wait for what hangs', async (context) => {
  const pool = createWorkerPool({ entry, size: 1 })
  const { fifo } = makeHang(context)
  const hanging = assert.rejects(pool.run('test.hang', fifo), (error) => isKind(error, 'cancelled'))
  const waiting = pool.run('test.double', 1)
  assert.equal(await waiting, 2)
  const begun = performance.now()
  await pool[Symbol.asyncDispose]()
  assert.ok(performance.now() - begun < 5000)
  await hanging
})
