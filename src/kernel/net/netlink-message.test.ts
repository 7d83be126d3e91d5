import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  netfilterMessage,
  netfilterNested,
  netlinkAttribute,
  netlinkMessage,
  netlinkNested,
  netlinkText,
  readNetlinkAttributes,
} from './netlink-message.ts'

test('attributes are padded, come back by type, and are cut off nowhere else', () => {
  const bytes = Buffer.concat([netlinkText(3, 'lo'), netlinkAttribute(4, Uint8Array.of(1, 2, 3, 4, 5))])
  assert.equal(bytes.toString('hex'), '070003006c6f0000090004000102030405000000')
  const found = readNetlinkAttributes(bytes, 0)
  assert.equal(found.get(3)?.toString(), 'lo\0')
  assert.deepEqual([...(found.get(4) ?? [])], [1, 2, 3, 4, 5])
  assert.deepEqual([...readNetlinkAttributes(bytes.subarray(0, 12), 0).keys()], [3])
  assert.deepEqual([...readNetlinkAttributes(Buffer.alloc(8), 0).keys()], [])
})

test('what is nested is flagged for netfilter alone, and read without the flag', () => {
  const inner = netlinkAttribute(1, Uint8Array.of(7))
  assert.equal(netlinkNested(18, inner).readUInt16LE(2), 18)
  const nested = netfilterNested(2, inner)
  assert.equal(nested.readUInt16LE(2), 0x8002)
  assert.equal(readNetlinkAttributes(readNetlinkAttributes(nested, 0).get(2) ?? Buffer.alloc(0), 0).get(1)?.[0], 7)
})

test('messages have type and flags, the header of their protocol, and no length yet', () => {
  const message = netlinkMessage({ type: 18, flags: 0x300 }, Uint8Array.of(9), [netlinkText(3, 'a')])
  assert.equal(message.toString('hex'), `00000000120000030000000000000000${'09'}0600030061000000`)
  assert.equal(
    netfilterMessage({ type: 257, flags: 0, family: 10 }, []).toString('hex'),
    `${'00000000010100000000000000000000'}0a000000`,
  )
})
