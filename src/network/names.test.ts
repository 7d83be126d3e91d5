import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bridgeNames } from './names.ts'

test('bridgeNames() gives plain names to the default root and short ones of their own to others', () => {
  assert.deepEqual(bridgeNames('/run/mica'), { bridge: 'mica0', table: 'mica' })
  assert.deepEqual(bridgeNames('/run/mica/'), { bridge: 'mica0', table: 'mica' })
  const [one, other] = [bridgeNames('/tmp/a'), bridgeNames('/tmp/b')]
  assert.notEqual(one.bridge, other.bridge)
  assert.match(one.bridge, /^mica-[0-9a-f]{8}$/)
  assert.match(one.table, /^mica_[0-9a-f]{8}$/)
})
