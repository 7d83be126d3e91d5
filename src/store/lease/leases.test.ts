import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLeases } from './leases.ts'

test('hold() holds what does not exist yet until the lease ends', async () => {
  const leases = createLeases()
  {
    await using lease = await leases.open('pull of alpine')
    lease.hold({ kind: 'blob', id: 'sha256:aa' })
    lease.hold({ kind: 'blob', id: 'sha256:aa' }, { kind: 'snapshot', id: '7' })
    const resources = [
      { kind: 'blob', id: 'sha256:aa' },
      { kind: 'snapshot', id: '7' },
    ]
    assert.deepEqual(leases.held(), resources)
    assert.deepEqual(leases.list(), [{ id: lease.id, purpose: 'pull of alpine', resources }])
  }
  assert.deepEqual(leases.held(), [])
  assert.deepEqual(leases.list(), [])
})

test('what two leases hold stays until both have ended', async () => {
  const leases = createLeases()
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
  const lease = await createLeases().open('short')
  await lease[Symbol.asyncDispose]()
  await lease[Symbol.asyncDispose]()
  assert.throws(() => lease.hold({ kind: 'blob', id: 'x' }), /has ended/)
})
