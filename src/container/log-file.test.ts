import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLogLine } from './log-file.ts'

const time = 1_795_225_588_969_660_765n

test('parseLogLine() takes time, stream, mark and bytes apart', () => {
  const bytes = Buffer.concat([
    Buffer.from('2026-11-21T01:46:28.969660765+00:00 stdout F a  b '),
    Buffer.from([0xff, 0]),
  ])
  const line = parseLogLine(bytes)
  assert.deepEqual(
    { ...line, bytes: Buffer.from(line?.bytes ?? []).toString('latin1') },
    { time, stream: 'stdout', ended: true, bytes: 'a  b \xff\0' },
  )
})

test('parseLogLine() knows partial and empty lines, and other zones', () => {
  assert.equal(parseLogLine(Buffer.from('2026-11-21T01:46:28.1Z stderr P x'))?.ended, false)
  assert.equal(parseLogLine(Buffer.from('2026-11-21T01:46:28.1Z stderr F '))?.bytes.length, 0)
  assert.equal(parseLogLine(Buffer.from('2026-11-21T02:46:28.969660765+01:00 stderr F x'))?.time, time)
})

for (const text of [
  '',
  'x',
  '2026-11-21T01:46:28Z stdin F x',
  '2026-11-21T01:46:28Z stdout X x',
  'now stdout F x',
  '2026-11-21T01:46:28Z stdout FF x',
])
  test(`parseLogLine() leaves "${text}" out`, () => assert.equal(parseLogLine(Buffer.from(text)), undefined))
