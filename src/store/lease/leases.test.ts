import { systemClock } from '#base'
import { openDatabase } from '#store/db'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createLeases } from './leases.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-lease-'))
after(() => rmSync(folder, { recursive: true }))
const clock = systemClock()

test('hold() holds what does not exist yet until the lease ends', async () => {
  await using database = await openDatabase(join(folder, 'hold.db'))
  const leases = createLeases({ database, clock, run: 'one' })
  {
    await using lease = await leases.open('pull of alpine')
    lease.hold({ kind: 'blob', id: 'sha256:aa' })
    lease.hold({ kind: 'blob', id: 'sha256:aa' }, { kind: 'snapshot', id: '7' })
    assert.deepEqual(leases.held(), [
      { kind: 'blob', id: 'sha256:aa' },
      { kind: 'snapshot', id: '7' },
    ])
  }
  assert.deepEqual(leases.held(), [])
})

test('what two leases hold stays until both have ended', async () => {
  await using database = await openDatabase(join(folder, 'two.db'))
  const leases = createLeases({ database, clock, run: 'one' })
  await using first = await leases.open('first')
  first.hold({ kind: 'image', id: 'sha256:bb' })
  {
    await using second = await leases.open('second')
    second.hold({ kind: 'image', id: 'sha256:bb' })
    assert.equal(leases.held().length, 1)
  }
  assert.deepEqual(leases.held(), [{ kind: 'image', id: 'sha256:bb' }])
})

test('hold() of an ended lease is a mistake that is said', async () => {
  await using database = await openDatabase(join(folder, 'ended.db'))
  const lease = await createLeases({ database, clock, run: 'one' }).open('short')
  await lease[Symbol.asyncDispose]()
  await lease[Symbol.asyncDispose]()
  assert.throws(() => lease.hold({ kind: 'blob', id: 'x' }), /has ended/)
})

test('leases of a run that died are void when the next begins', async () => {
  const path = join(folder, 'runs.db')
  {
    await using database = await openDatabase(path)
    const lease = await createLeases({ database, clock, run: 'one' }).open('interrupted')
    lease.hold({ kind: 'blob', id: 'sha256:cc' })
  }
  await using database = await openDatabase(path)
  assert.deepEqual(createLeases({ database, clock, run: 'two' }).held(), [])
})
