import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  broadcastOf,
  chooseBlock,
  formatAddress,
  formatBlock,
  freeAddress,
  macOf,
  networkOf,
  overlaps,
  parseAddress,
  parseBlock,
} from './address.ts'

const block = fc.record({ address: fc.nat(0xffffffff), prefix: fc.integer({ min: 0, max: 32 }) })

test('parseAddress() and formatAddress() agree', () => {
  fc.assert(fc.property(fc.nat(0xffffffff), (address) => parseAddress(formatAddress(address)) === address))
})

test('parseAddress() knows only dotted quads', () => {
  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.x', '::1', ' 1.2.3.4']) {
    assert.equal(parseAddress(text), undefined, text)
  }
})

test('parseBlock() refuses what is no block in the words of Docker', () => {
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '10.0.0.0/8/8', '10.0.0.0/-1']) {
    assert.throws(() => parseBlock(text), { kind: 'invalid', message: `invalid CIDR address: ${text}` })
  }
})

test('a block has a first and a last address', () => {
  const cases = [
    ['172.30.4.7/16', '172.30.0.0/16', '172.30.255.255'],
    ['10.1.2.3/8', '10.0.0.0/8', '10.255.255.255'],
    ['192.168.1.77/32', '192.168.1.77/32', '192.168.1.77'],
    ['1.2.3.4/0', '0.0.0.0/0', '255.255.255.255'],
    ['203.0.113.9/30', '203.0.113.8/30', '203.0.113.11'],
  ] as const
  for (const [text, network, broadcast] of cases) {
    assert.equal(formatBlock(networkOf(parseBlock(text))), network)
    assert.equal(formatAddress(broadcastOf(parseBlock(text))), broadcast)
  }
})

test('overlaps() is what shared addresses say', () => {
  fc.assert(
    fc.property(block, block, (one, other) => {
      const [a, b] = [networkOf(one), networkOf(other)]
      assert.equal(overlaps(one, other), a.address <= broadcastOf(b) && b.address <= broadcastOf(a))
    }),
  )
})

test('freeAddress() gives the lowest free one, never the first or the last', () => {
  const small = parseBlock('10.0.0.1/29')
  const taken = new Set<number>()
  const given: string[] = []
  for (let next = freeAddress(small, taken); next !== undefined; next = freeAddress(small, taken)) {
    given.push(formatAddress(next))
    taken.add(next)
  }
  assert.deepEqual(given, ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'])
  taken.delete(parseAddress('10.0.0.3') ?? 0)
  assert.equal(formatAddress(freeAddress(small, taken) ?? 0), '10.0.0.3')
})

test('chooseBlock() avoids every block in use', () => {
  const used = [parseBlock('172.30.9.0/24'), parseBlock('172.29.0.0/15')]
  assert.equal(formatBlock(chooseBlock(used) ?? { address: 0, prefix: 0 }), '172.27.0.0/16')
  assert.equal(formatBlock(chooseBlock([parseBlock('172.16.0.0/12')]) ?? { address: 0, prefix: 0 }), '192.168.240.0/20')
  assert.equal(chooseBlock([parseBlock('0.0.0.0/0')]), undefined)
})

test('macOf() is made of the address', () => {
  assert.equal(macOf(parseAddress('172.30.0.2') ?? 0), '02:42:ac:1e:00:02')
})
