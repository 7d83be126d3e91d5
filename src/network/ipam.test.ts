import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress, parseAddress, parseBlock } from '#network/link'
import { firstFree, isHost } from './ipam.ts'

test('firstFree() gives the lowest free address, never the first or the last of the block', () => {
  const block = { subnet: '10.0.0.0/29' }
  const taken = new Set<bigint>()
  const given: string[] = []
  for (let next = firstFree(block, taken); next; next = firstFree(block, taken)) {
    given.push(formatAddress(next))
    taken.add(next.value)
  }
  assert.deepEqual(given, ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'])
  taken.delete(parseAddress('10.0.0.3')!.value)
  assert.equal(formatAddress(firstFree(block, taken)!), '10.0.0.3')
})

for (const [subnet, ipRange, first] of [
  ['10.0.0.0/24', '10.0.0.128/25', '10.0.0.128'],
  ['10.0.0.0/24', '10.0.0.0/25', '10.0.0.1'],
  ['10.0.0.4/31', undefined, '10.0.0.4'],
  ['10.0.0.4/32', undefined, '10.0.0.4'],
  ['fd00:1::/64', undefined, 'fd00:1::1'],
  ['fd00:1::/64', 'fd00:1::ff00/120', 'fd00:1::ff00'],
] as const)
  test(`firstFree() begins in ${subnet}${ipRange ? ` with the range ${ipRange}` : ''} at ${first}`, () => {
    const free = firstFree({ subnet, ...(ipRange && { ipRange }) }, new Set())
    assert.equal(free && formatAddress(free), first)
  })

test('firstFree() gives nothing twice and nothing outside', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.bigInt({ min: 0n, max: 63n })), (indices) => {
      const block = parseBlock('10.9.8.0/26')
      const taken = new Set(indices.map((index) => block.value + index))
      const free = firstFree({ subnet: '10.9.8.0/26' }, taken)
      if (free) assert.ok(!taken.has(free.value) && isHost(block, free))
      else assert.ok(indices.filter((index) => index > 0n && index < 63n).length === 62)
    }),
  )
})
