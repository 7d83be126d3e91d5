import { cancelled, corrupt } from '#base'
import { RegistryError, type Registry } from '#registry'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstThatFulfils } from './endpoints.ts'

const named = (address: string): Registry => ({ address }) as Registry
const unreachable = new RegistryError('unavailable', 'no such host', { status: 0 })
const missing = new RegistryError('not-found', 'manifest unknown', { status: 404 })
const denied = new RegistryError('not-found', 'pull access denied', { status: 401 })

const CASES = [
  ['the first answer counts', ['one', 'two'], {}, 'one'],
  ['a mirror that is down is passed over', ['one', 'two'], { one: unreachable }, 'two'],
  ['a mirror that lies is passed over', ['one', 'two'], { one: corrupt('altered') }, 'two'],
  ['of two refusals the last is told', ['one', 'two'], { one: missing, two: denied }, denied],
  ['a definite answer beats nobody there', ['one', 'two'], { one: missing, two: unreachable }, missing],
  ['nobody anywhere is told as it is', ['one', 'two'], { one: unreachable, two: unreachable }, unreachable],
] as const

for (const [what, addresses, failures, outcome] of CASES) {
  test(`firstThatFulfils(): ${what}`, async () => {
    const table: Readonly<Record<string, Error>> = failures
    const work = async ({ address }: Registry): Promise<string> => {
      const failure = table[address]
      if (failure) throw failure
      return address
    }
    const run = firstThatFulfils(addresses.map(named), work)
    if (typeof outcome === 'string') assert.equal(await run, outcome)
    else await assert.rejects(run, outcome)
  })
}

test('firstThatFulfils() does not go on for a caller who left', async () => {
  const asked: string[] = []
  const run = firstThatFulfils([named('one'), named('two')], async ({ address }) => {
    asked.push(address)
    throw cancelled('pull')
  })
  await assert.rejects(run, { kind: 'cancelled' })
  assert.deepEqual(asked, ['one'])
})
