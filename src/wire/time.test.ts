import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findDuration, formatRoughly, parseTimestamp } from './time.ts'

const NOW = 1_700_000_000_000_000_000n

const DURATIONS: readonly (readonly [string, bigint | undefined])[] = [
  ['1h30m', 5_400_000_000_000n],
  ['500ms', 500_000_000n],
  ['-1.5h', -5_400_000_000_000n],
  ['1.5s', 1_500_000_000n],
  ['10ns', 10n],
  ['3µs', 3000n],
  ['0', 0n],
  ['1', undefined],
  ['h', undefined],
  ['1d', undefined],
  ['', undefined],
]

for (const [text, nanoseconds] of DURATIONS) {
  test(`findDuration() reads «${text}» as ${nanoseconds}`, () => {
    assert.equal(findDuration(text), nanoseconds)
  })
}

const TIMES: readonly (readonly [string, bigint])[] = [
  ['0', 0n],
  ['1700000000', NOW],
  ['1700000000.5', NOW + 500_000_000n],
  ['1700000000.000000001', NOW + 1n],
  ['+5', 5_000_000_000n],
  ['1700000000000', 1000n * NOW],
  ['10m', NOW - 600_000_000_000n],
  ['2023-11-14T22:13:20Z', NOW],
  ['2023-11-14T22:13:20.000000007Z', NOW + 7n],
  ['2023-11-14T23:13:20+01:00', NOW],
  ['2023-11-14T22:13Z', NOW - 20_000_000_000n],
]

for (const [text, nanoseconds] of TIMES) {
  test(`parseTimestamp() reads «${text}»`, () => {
    assert.equal(parseTimestamp(text, NOW), nanoseconds)
  })
}

for (const text of ['foo', '2023-13-45', '2023-11-14 10:00', '1d']) {
  test(`parseTimestamp() refuses «${text}»`, () => {
    assert.throws(() => parseTimestamp(text, NOW), { kind: 'invalid' })
  })
}

const ROUGHLY: readonly (readonly [number, string])[] = [
  [0, 'Less than a second'],
  [1, '1 second'],
  [59, '59 seconds'],
  [60, 'About a minute'],
  [150, '2 minutes'],
  [3600, 'About an hour'],
  [7200, '2 hours'],
  [47 * 3600, '47 hours'],
  [48 * 3600, '2 days'],
  [14 * 86_400, '2 weeks'],
  [60 * 86_400, '2 months'],
  [730 * 86_400, '2 years'],
]

for (const [seconds, text] of ROUGHLY) {
  test(`formatRoughly() says «${text}» for ${seconds} s`, () => {
    assert.equal(formatRoughly(seconds * 1000), text)
  })
}
