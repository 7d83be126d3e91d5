import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { parseLogLine, readLog } from './log-file.ts'
import { createLogFiles } from './log-files.ts'
import type { LogOptions } from './types.ts'

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

const ended = { isLive: () => false, ended: async () => undefined }

/** Lines «stream mark text», a second apart. */
function logOf(t: TestContext, lines: readonly string[], rest = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'mica-log-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'log')
  const at = (index: number): string => new Date(1_700_000_000_000 + index * 1000).toISOString()
  writeFileSync(path, lines.map((line, index) => `${at(index)} ${line}\n`).join('') + rest)
  return path
}

const LIMITS = { maxSize: 1000, maxFiles: 10 }

async function textOf(path: string, more: Partial<LogOptions> = {}): Promise<string> {
  const files = createLogFiles(path, LIMITS)
  let text = ''
  for await (const { bytes } of readLog(files, { follow: false, stdout: true, stderr: true, ...more }, ended))
    text += Buffer.from(bytes).toString()
  return text
}

const LINES = ['stdout F one', 'stderr F two', 'stdout P thr', 'stdout F ee', 'stdout F ', 'stdout P no end']

for (const [what, options, expected] of [
  ['everything', {}, 'one\ntwo\nthree\n\nno end'],
  ['stderr', { stdout: false }, 'two\n'],
  ['no line', { tail: 0 }, ''],
  ['the last line, which has no end', { tail: 1 }, 'no end'],
  ['an empty line too', { tail: 2 }, '\nno end'],
  ['a line in two chunks whole', { tail: 3 }, 'three\n\nno end'],
  ['the last of one stream', { tail: 3, stderr: false }, 'three\n\nno end'],
  ['more lines than there are', { tail: 100 }, 'one\ntwo\nthree\n\nno end'],
  ['what is not older', { since: 1_700_000_004_000_000_000n }, '\nno end'],
  ['what is not newer', { until: 1_700_000_001_000_000_000n }, 'one\ntwo\n'],
  ['the last of what is not newer', { until: 1_700_000_001_000_000_000n, tail: 1 }, 'two\n'],
] as const)
  test(`readLog() gives ${what}`, async (t) => assert.equal(await textOf(logOf(t, LINES), options), expected))

test('readLog() leaves out a line that is half written, and gives nothing of a file that is not there', async (t) => {
  const path = logOf(t, ['stdout F one'], '2026-11-21T01:46:28Z stdout F half')
  assert.equal(await textOf(path), 'one\n')
  assert.equal(await textOf(`${path}.none`), '')
})

test('readLog() finds the end of a long log from behind, over its blocks', async (t) => {
  const path = logOf(
    t,
    Array.from({ length: 20_000 }, (_, index) => `stdout F line ${index}`),
  )
  assert.equal(await textOf(path, { tail: 2 }), 'line 19998\nline 19999\n')
  assert.equal((await textOf(path, { tail: 5000 })).split('\n')[0], 'line 15000')
  assert.equal((await textOf(path)).split('\n').length, 20_001)
})

test('readLog() reads files that were put aside as one log, with --tail, --since and --until over them', async (t) => {
  const path = logOf(t, LINES)
  const lines = readFileSync(path, 'utf8').match(/.*\n/g) ?? []
  for (const sizes of [
    [1, 1, 1, 1, 1, 1],
    [2, 3, 1],
    [4, 0, 2],
    [6, 0],
  ]) {
    let at = 0
    for (const [index, size] of sizes.entries()) {
      const name = index === sizes.length - 1 ? path : `${path}.${index}`
      writeFileSync(name, lines.slice(at, (at += size)).join(''))
    }
    assert.equal(await textOf(path), 'one\ntwo\nthree\n\nno end', String(sizes))
    assert.equal(await textOf(path, { tail: 3 }), 'three\n\nno end', String(sizes))
    assert.equal(await textOf(path, { tail: 0 }), '', String(sizes))
    assert.equal(await textOf(path, { tail: 100 }), 'one\ntwo\nthree\n\nno end', String(sizes))
    assert.equal(await textOf(path, { since: 1_700_000_004_000_000_000n }), '\nno end', String(sizes))
    assert.equal(await textOf(path, { until: 1_700_000_001_000_000_000n, tail: 1 }), 'two\n', String(sizes))
    for (const index of sizes.keys()) rmSync(`${path}.${index}`, { force: true })
  }
})
