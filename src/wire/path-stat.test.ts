import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPathStat, parsePathStat } from './path-stat.ts'

const FACTS = { name: 'x', size: 3, mtime: 1_500_000_000_000_000_001n, linkTarget: '' }

for (const [what, mode, go, kind] of [
  ['a file', 0o100644, 0o644, 'file'],
  ['a folder with the sticky bit', 0o041777, 2 ** 31 + 2 ** 20 + 0o777, 'folder'],
  ['a link', 0o120777, 2 ** 27 + 0o777, 'link'],
  ['a program with setuid and setgid', 0o106755, 2 ** 23 + 2 ** 22 + 0o755, 'file'],
  ['a character device', 0o020666, 2 ** 26 + 2 ** 21 + 0o666, 'device'],
  ['a fifo', 0o010600, 2 ** 25 + 0o600, 'other'],
] as const) {
  test(`formatPathStat() gives ${what} its mode in Go's bits`, () => {
    const header = formatPathStat({ ...FACTS, mode })
    const json: unknown = JSON.parse(Buffer.from(header, 'base64').toString())
    assert.deepEqual(json, { name: 'x', size: 3, mode: go, mtime: '2017-07-14T02:40:00.000000001Z', linkTarget: '' })
    assert.equal(parsePathStat(header).kind, kind)
  })
}

test('parsePathStat() refuses what is no such header', () => {
  for (const header of [undefined, '', 'bm90IGpzb24=', Buffer.from('{"mode":"x"}').toString('base64')])
    assert.throws(() => parsePathStat(header), { kind: 'corrupt' })
})
