import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addressBytes,
  addressOf,
  bitsOf,
  contains,
  type Family,
  formatAddress,
  formatBlock,
  lastOf,
  macOf,
  networkOf,
  overlaps,
  parseAddress,
  parseBlock,
} from './address.ts'

const family = fc.constantFrom<Family>(4, 6)
const block = family.chain((kind) =>
  fc.record({
    family: fc.constant(kind),
    value: fc.bigInt({ min: 0n, max: (1n << BigInt(bitsOf(kind))) - 1n }),
    prefix: fc.integer({ min: 0, max: bitsOf(kind) }),
  }),
)

test('parseAddress() and formatAddress() agree', () => {
  fc.assert(
    fc.property(block, ({ family: kind, value }) => {
      assert.deepEqual(parseAddress(formatAddress({ family: kind, value })), { family: kind, value })
      assert.deepEqual(addressOf(addressBytes({ family: kind, value })), { family: kind, value })
    }),
  )
})

for (const [text, shown] of [
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['FE80:0:0:0:0:0:0:1', 'fe80::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['::ffff:1.2.3.4', '::ffff:102:304'],
  ['10:0:0:0:0:0:0:0', '10::'],
] as const)
  test(`formatAddress() shows ${text} as ${shown}`, () => {
    const address = parseAddress(text)
    assert.ok(address)
    assert.equal(formatAddress(address), shown)
  })

test('parseAddress() knows addresses only', () => {
  const texts = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.x',
    ' 1.2.3.4',
    ':',
    '1:2',
    '1::2::3',
    '::g',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3.400',
    '1:2:3:4:5:6:7::8',
  ]
  for (const text of texts) assert.equal(parseAddress(text), undefined, text)
})

test('parseBlock() refuses what is no block in the words of Docker', () => {
  for (const text of [
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0/8',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    'fd00::/129',
  ]) {
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
    ['fd00:1::5/64', 'fd00:1::/64', 'fd00:1::ffff:ffff:ffff:ffff'],
  ] as const
  for (const [text, network, last] of cases) {
    assert.equal(formatBlock(networkOf(parseBlock(text))), network)
    assert.equal(formatAddress(lastOf(parseBlock(text))), last)
  }
})

test('overlaps() is what shared addresses say', () => {
  fc.assert(
    fc.property(block, block, (one, other) => {
      const [a, b] = [networkOf(one), networkOf(other)]
      const shared = one.family === other.family && a.value <= lastOf(b).value && b.value <= lastOf(a).value
      assert.equal(overlaps(one, other), shared)
      assert.ok(contains(one, lastOf(one)))
    }),
  )
})

test('macOf() is made of the address', () => {
  for (const [text, mac] of [
    ['172.30.0.2', '02:42:ac:1e:00:02'],
    ['fd00::1:2', '02:42:00:01:00:02'],
  ] as const) {
    const address = parseAddress(text)
    assert.equal(address && macOf(address), mac)
  }
})

test('parseAddress() takes no leading zeros in IPv4: some read them as octal', () => {
  for (const text of ['010.0.0.1', '10.0.0.01', '10.00.0.1']) assert.equal(parseAddress(text), undefined, text)
  assert.deepEqual(parseAddress('0.0.0.0'), { family: 4, value: 0n })
})
