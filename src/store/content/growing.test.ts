import { collect } from '#base'
import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createGrowth, followGrowth, growthEnded, growthRanges, readGrown } from './growing.ts'

function makeFile(t: TestContext): number {
  const folder = mkdtempSync(join(tmpdir(), 'mica-growing-'))
  writeFileSync(join(folder, 'file'), '')
  const fd = openSync(join(folder, 'file'), 'r+')
  t.after(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  return fd
}

const context = { cancelled: () => false }

test('followGrowth() gives what has come, waits for the rest, and ends once all is verified', async (t) => {
  const fd = makeFile(t)
  writeSync(fd, 'hello ')
  const writer = createGrowth(6)
  const all = collect(followGrowth(fd, writer.growth))
  writeSync(fd, 'world')
  writer.grown(11)
  writer.whole()
  await growthEnded(writer.growth)
  assert.equal((await all).toString(), 'hello world')
})

test('followGrowth() ends with an error where the rest does not come, and when it is cancelled', async (t) => {
  const fd = makeFile(t)
  const writer = createGrowth(0)
  await assert.rejects(collect(followGrowth(fd, writer.growth, AbortSignal.abort())), { kind: 'cancelled' })
  const lost = assert.rejects(collect(followGrowth(fd, writer.growth)), { kind: 'unavailable' })
  writer.lost()
  writer.whole()
  await lost
  await assert.rejects(growthEnded(writer.growth), { kind: 'unavailable' })
})

test('followGrowth() and readGrown() give up where the file is shorter than was said: it was begun anew', async (t) => {
  const fd = makeFile(t)
  const { growth } = createGrowth(5)
  await assert.rejects(collect(followGrowth(fd, growth)), { kind: 'unavailable' })
  assert.throws(() => readGrown({ fd, growth }, Buffer.alloc(8), 0, context), { kind: 'unavailable' })
})

test('readGrown() reads no further than what has come, and 0 at the end', (t) => {
  const fd = makeFile(t)
  writeSync(fd, 'hello world')
  const writer = createGrowth(5)
  const buffer = Buffer.alloc(32)
  assert.equal(readGrown({ fd, growth: writer.growth }, buffer, 0, context), 5)
  assert.throws(() => readGrown({ fd, growth: writer.growth }, buffer, 5, { cancelled: () => true }), {
    kind: 'cancelled',
  })
  writer.grown(11)
  writer.whole()
  assert.equal(readGrown({ fd, growth: writer.growth }, buffer, 5, context), 6)
  assert.equal(readGrown({ fd, growth: writer.growth }, buffer, 11, context), 0)
})

test('growthRanges() gives each byte once', async () => {
  const writer = createGrowth(3)
  const ranges: string[] = []
  for await (const { start, end } of growthRanges(writer.growth)) {
    ranges.push(`${start}-${end}`)
    if (end === 3) writer.grown(10)
    else writer.whole()
  }
  assert.deepEqual(ranges, ['0-3', '3-10'])
})
