import { bytesOf, collect, type Clock } from '#base'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMeter, metered } from './meter.ts'
import type { TransferProgress } from './types.ts'

test('a meter speaks at most ten times a second, and always of the end', () => {
  let now = 1000
  const clock: Clock = { nanoseconds: () => BigInt(now) * 1_000_000n, milliseconds: () => now }
  const said: TransferProgress[] = []
  const meter = createMeter(clock, (line) => said.push(line), { id: 'x', status: 'Downloading', total: 50, from: 10 })
  for (let index = 0; index < 40; index += 1) {
    meter.add(1)
    now += 30
  }
  const counts = said.map(({ current }) => current)
  assert.equal(counts[0], 11)
  assert.equal(counts.at(-1), 50)
  assert.ok(counts.length >= 10 && counts.length <= 13, counts.join())
})

test('metered() hands the bytes on', async () => {
  let sum = 0
  const bytes = metered(bytesOf('one', 'two'), { add: (count) => void (sum += count) })
  assert.equal((await collect(bytes)).toString(), 'onetwo')
  assert.equal(sum, 6)
})
