import { corrupt } from '#base'
import { BLOCK, readNumber } from './field.ts'
import { type PaxRecord, parsePaxNumber } from './pax.ts'
import type { SparseRange } from './types.ts'

/** Beyond this a file of holes is taken for an attack on whoever reads it plainly: 1 TiB. */
const MAX_SPARSE_SIZE = 2 ** 40
/** Ranges of one file; a map is held in memory. */
export const MAX_SPARSE_RANGES = 1 << 20

/** The PAX sparse forms of GNU tar: where the map is, and the size with holes. */
export type PaxSparse =
  | { readonly place: 'records'; readonly ranges: readonly SparseRange[]; readonly size: number }
  | { readonly place: 'body'; readonly size: number }

/** Finds a sparse map, or the mark that one begins the body (form 1.0), in the records of an entry. */
export function sparseOfRecords(records: readonly PaxRecord[]): PaxSparse | undefined {
  if (!records.some(([key]) => key.startsWith('GNU.sparse.'))) return undefined
  const values = new Map(records)
  const major = values.get('GNU.sparse.major')
  const size = parsePaxNumber(
    'GNU.sparse size',
    values.get('GNU.sparse.realsize') ?? values.get('GNU.sparse.size') ?? '',
  )
  if (major === '1') return { place: 'body', size }
  if (major !== undefined && major !== '0') throw corrupt('malformed tar: a sparse file of an unknown form')
  const map = values.get('GNU.sparse.map')
  return { place: 'records', ranges: map === undefined ? rangesOfPairs(records) : rangesOfMap(map), size }
}

/** Form 0.0: the records offset and numbytes take turns. */
function rangesOfPairs(records: readonly PaxRecord[]): SparseRange[] {
  const numbers: number[] = []
  for (const [key, value] of records) {
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      const isOffset = numbers.length % 2 === 0
      if (isOffset !== (key === 'GNU.sparse.offset')) throw corrupt('malformed tar: a sparse map is out of order')
      numbers.push(parsePaxNumber(key, value))
    }
  }
  return rangesOfNumbers(numbers)
}

/** Form 0.1: offsets and lengths between commas. */
function rangesOfMap(map: string): SparseRange[] {
  if (map === '') return []
  return rangesOfNumbers(map.split(',').map((text) => parsePaxNumber('GNU.sparse.map', text)))
}

function rangesOfNumbers(numbers: readonly number[]): SparseRange[] {
  if (numbers.length % 2 !== 0) throw corrupt('malformed tar: a sparse map is cut short')
  const ranges: SparseRange[] = []
  for (let at = 0; at < numbers.length; at += 2) ranges.push({ offset: numbers[at] ?? 0, length: numbers[at + 1] ?? 0 })
  return ranges
}

/** The map of an old GNU header (type S): four ranges there, 21 in each block that follows while `more`. */
export function rangesOfHeader(block: Buffer): { ranges: SparseRange[]; more: boolean; size: number } {
  return { ranges: readRanges(block, 386, 4), more: block[482] === 1, size: readNumber(block, 483, 12) }
}

export function rangesOfBlock(block: Buffer): { ranges: SparseRange[]; more: boolean } {
  return { ranges: readRanges(block, 0, 21), more: block[504] === 1 }
}

function readRanges(block: Buffer, start: number, count: number): SparseRange[] {
  const ranges: SparseRange[] = []
  for (let index = 0; index < count; index += 1) {
    const at = start + index * 24
    if (block[at] === 0) break
    ranges.push({ offset: readNumber(block, at, 12), length: readNumber(block, at + 12, 12) })
  }
  return ranges
}

/** Form 1.0: a map at the body's begin, as decimal lines padded to a block; fed block by block. */
export interface BodyMap {
  /** The ranges once the last of them was in this block, else undefined. */
  feed(block: Buffer): readonly SparseRange[] | undefined
}

export function createBodyMap(): BodyMap {
  let text = ''
  let expected: number | undefined
  let lines = 0
  const count = (): number | undefined => {
    const end = text.indexOf('\n')
    if (end < 0) return undefined
    const ranges = parsePaxNumber('the count of a sparse map', text.slice(0, end))
    if (ranges > MAX_SPARSE_RANGES) throw corrupt('malformed tar: a sparse map has too many ranges')
    return 1 + 2 * ranges
  }
  return {
    feed(block) {
      const part = block.toString('latin1', 0, BLOCK)
      for (let at = part.indexOf('\n'); at >= 0; at = part.indexOf('\n', at + 1)) lines += 1
      text += part
      expected ??= count()
      if (expected === undefined) throw corrupt('malformed tar: a sparse map has no count')
      if (lines < expected) return undefined
      const numbers = text.split('\n', expected).slice(1)
      return rangesOfNumbers(numbers.map((number) => parsePaxNumber('a sparse map', number)))
    },
  }
}

/** Throws `corrupt` unless the ranges ascend, fit into `size` and need just the `stored` bytes. */
export function checkRanges(ranges: readonly SparseRange[], size: number, stored: number): void {
  if (ranges.length > MAX_SPARSE_RANGES) throw corrupt('malformed tar: a sparse map has too many ranges')
  let end = 0
  let total = 0
  for (const range of ranges) {
    if (range.offset < end) throw corrupt('malformed tar: ranges of a sparse map overlap')
    end = range.offset + range.length
    total += range.length
  }
  if (end > size || size > MAX_SPARSE_SIZE) throw corrupt('malformed tar: a sparse file is larger than it may be')
  if (total !== stored) throw corrupt('malformed tar: a sparse map does not fit the bytes stored')
}
