import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TarReader } from './reader.ts'
import { type StretchNotes, StretchTap, type TarStretch } from './stretch.ts'
import type { TarEntry, TarInput } from './types.ts'
import { TarWriter } from './writer.ts'

type Member = readonly [path: string, text: string, more?: Partial<TarInput>]

function tarOf(members: readonly Member[]): Buffer {
  const chunks: Buffer[] = []
  const writer = new TarWriter((chunk) => chunks.push(Buffer.from(chunk)))
  for (const [path, text, more] of members) {
    writer.entry({ kind: 'file', path, size: text.length, ...more })
    if (text !== '') writer.body(Buffer.from(text))
  }
  writer.finish()
  return Buffer.concat(chunks)
}

/** What a reader makes of an archive: a list of names and texts. */
interface Reading {
  readonly list: readonly string[]
  readonly notes: StretchNotes
  /** How many were read, not known. */
  readonly read: number
}

interface Options {
  readonly known?: Pick<Reading, 'list' | 'notes'> | undefined
  readonly pieces?: number
  /** Not in the list, so in no stretch. */
  readonly unlisted?: string
  readonly accept?: boolean
}

function read(tar: Buffer, { known, pieces = 100_000, unlisted, accept = true }: Options = {}): Reading {
  const list: string[] = []
  let count = 0
  let entry: TarEntry | undefined
  let text = ''
  const take = (stretch: TarStretch, bytes: Buffer) => {
    const entries = known?.list.slice(stretch.first, stretch.first + stretch.bodies.length) ?? []
    if (!accept) return undefined
    for (const [at, line] of entries.entries()) {
      const [, body = ''] = line.split(' ')
      const start = stretch.bodies[at] ?? 0
      if (body !== '') assert.equal(bytes.toString('latin1', start, start + body.length), body)
    }
    const first = list.push(...entries) - entries.length
    return { first, last: entries.at(-1)?.split(' ')[0] ?? '' }
  }
  const tap = new StretchTap(known?.notes, take)
  const sink = {
    entry(next: TarEntry) {
      const { path, size } = (entry = next)
      text = ''
      count += 1
      tap.entry({ path, size, place: path === unlisted ? undefined : list.length })
    },
    body: (chunk: Buffer) => (text += chunk.toString('latin1')),
    end: () => entry?.path !== unlisted && list.push(`${entry?.path} ${text}`),
  }
  const reader = new TarReader(sink, tap)
  for (let at = 0; at < tar.length; at += pieces) reader.push(tar.subarray(at, at + pieces))
  reader.finish()
  return { list, notes: tap.notes, read: count }
}

const LONG = 'a/'.repeat(80)
const MEMBERS: readonly Member[] = Array.from({ length: 900 }, (_, index): Member => {
  if (index % 50 === 0) return [`d${index}/`, '', { kind: 'directory' }]
  return [`${index % 7 === 0 ? LONG : ''}f${index}`, `${index}`.repeat((index * 37) % 900)]
})
const PIECES = [511, 4096, 32_768, 1 << 20]

const plain = (members: readonly Member[], unlisted?: string): readonly string[] =>
  read(tarOf(members), unlisted === undefined ? {} : { unlisted }).list

test('an archive that comes again is known by its stretches, whatever pieces it comes in', () => {
  const tar = tarOf(MEMBERS)
  const first = read(tar, { unlisted: 'f333' })
  assert.ok(first.notes.stretches.length > 3)
  assert.ok(first.notes.stretches.every(({ size }) => size <= 1 << 17))
  for (const pieces of PIECES) {
    const again = read(tar, { known: first, pieces, unlisted: 'f333' })
    assert.deepEqual(again.list, first.list)
    assert.equal(again.read, 1, 'but for what is to be read each time')
    assert.deepEqual(again.notes, first.notes)
  }
  assert.equal(read(tar, { known: first, accept: false }).read, MEMBERS.length)
})

const change = (at: number, ...to: readonly Member[]): readonly Member[] => MEMBERS.toSpliced(at, 1, ...to)
const EDITS: readonly (readonly [string, readonly Member[]])[] = [
  ['one byte', change(398, ['f398', `X${(MEMBERS[398]?.[1] ?? '').slice(1)}`])],
  ['a longer file', change(401, ['f401', 'long '.repeat(300)])],
  ['another time', change(402, ['f402', MEMBERS[402]?.[1] ?? '', { mtime: 5_000_000_000n }])],
  ['one removed', change(403)],
  ['the last removed', MEMBERS.slice(0, -1)],
  ['most removed', MEMBERS.slice(0, 300)],
  ['the first removed', MEMBERS.slice(1)],
  ['one added in front', [['new', 'x'], ...MEMBERS]],
  ['one added behind', [...MEMBERS, ['new', 'x']]],
  ['a large one added', change(404, ['large', 'x'.repeat(300_000)], ['f404', ''])],
  ['one of the size of a stretch', change(404, ['large', 'x'.repeat((1 << 17) - 512)], ['f404', ''])],
  ['the other way round', MEMBERS.toReversed()],
  ['twice the same', [...MEMBERS, ...MEMBERS]],
  ['nothing', []],
]

for (const [what, members] of EDITS)
  test(`an archive that comes again is read where it differs: ${what}`, () => {
    const first = read(tarOf(MEMBERS))
    const tar = tarOf(members)
    for (const pieces of PIECES) {
      const again = read(tar, { known: first, pieces })
      assert.deepEqual(again.list, plain(members))
      // what was noted of the second serves as what was noted of the first
      const third = read(tarOf(MEMBERS), { known: again, pieces })
      assert.deepEqual(third.list, first.list)
    }
  })

test('where one file differs, few others are read', () => {
  const first = read(tarOf(MEMBERS))
  const again = read(tarOf(EDITS[1]?.[1] ?? []), { known: first })
  assert.ok(again.read > 0 && again.read < MEMBERS.length / 2, `${again.read}`)
})

test('a cut archive is refused inside of what is known too, but not without the padding at its end', () => {
  const whole = tarOf(MEMBERS)
  const known = read(whole)
  const at = (length: number): Reading => read(whole.subarray(0, length), { known })
  assert.throws(() => at(100_100), { kind: 'corrupt' })
  assert.throws(() => at(700), { kind: 'corrupt' })
  const last = `${MEMBERS.at(-1)?.[1]}`
  const end = whole.lastIndexOf(last) + last.length
  assert.deepEqual(at(end).list, known.list)
})

test('a note of other bytes, or with another key, is no note', () => {
  const tar = tarOf(MEMBERS)
  const known = read(tar)
  const { key, stretches } = known.notes
  const other = `${key.startsWith('0') ? '1' : '0'}${key.slice(1)}`
  assert.equal(read(tar, { known: { ...known, notes: { key: other, stretches } } }).read, MEMBERS.length)
  const swapped = stretches.map((each, index) => ({ ...each, tag: stretches[index === 0 ? 1 : 0]?.tag ?? '' }))
  assert.deepEqual(read(tar, { known: { ...known, notes: { key, stretches: swapped } } }).list, known.list)
  assert.notEqual(read(tar).notes.key, key)
})

test('what holds for all that follows is read each time', () => {
  const global = Buffer.from(tarOf([['g', '30 mtime=1234567890.123456789\n']]))
  global.write('g', 156)
  let sum = 8 * 0x20
  for (let index = 0; index < 512; index += 1) if (index < 148 || index >= 156) sum += global[index] ?? 0
  global.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const tar = Buffer.concat([global.subarray(0, 1024), tarOf(MEMBERS)])
  const known = read(tarOf(MEMBERS))
  assert.equal(read(tar, { known }).read, MEMBERS.length)
})
