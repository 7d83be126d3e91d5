import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Block, formatBlock, parseBlock } from '#network/link'
import { chooseBlock, chooseBlock6 } from './pools.ts'

const text = (block: Block | undefined): string | undefined => block && formatBlock(block)
const RANDOM = Uint8Array.from([1, 2, 3, 4, 5])

test('chooseBlock() avoids every block in use', () => {
  assert.equal(text(chooseBlock([parseBlock('172.30.9.0/24'), parseBlock('172.29.0.0/15')])), '172.27.0.0/16')
  assert.equal(text(chooseBlock([parseBlock('172.16.0.0/12')])), '192.168.240.0/20')
  assert.equal(chooseBlock([parseBlock('0.0.0.0/0')]), undefined)
})

test('chooseBlock() cuts blocks out of the pools that are given', () => {
  const pools = [{ base: parseBlock('10.9.0.0/23'), size: 24 }]
  assert.equal(text(chooseBlock([], pools)), '10.9.0.0/24')
  assert.equal(text(chooseBlock([parseBlock('10.9.0.128/25')], pools)), '10.9.1.0/24')
  assert.equal(chooseBlock([parseBlock('10.9.0.0/16')], pools), undefined)
})

test('chooseBlock6() makes a unique local block, and the next one where that is in use', () => {
  assert.equal(text(chooseBlock6([], RANDOM)), 'fd01:203:405::/64')
  assert.equal(text(chooseBlock6([parseBlock('fd01:203:405::/64')], RANDOM)), 'fd01:203:405:1::/64')
  const pools = [{ base: parseBlock('2001:db8::/56'), size: 64 }]
  assert.equal(text(chooseBlock6([], RANDOM, pools)), '2001:db8::/64')
})
