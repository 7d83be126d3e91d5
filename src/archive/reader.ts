import { corrupt } from '#base'
import { BLOCK, paddedSize } from './field.ts'
import { type RawHeader, isZeroBlock, parseHeader, resolveEntry } from './header.ts'
import { type PaxRecord, parsePax } from './pax.ts'
import {
  type BodyMap,
  MAX_SPARSE_RANGES,
  checkRanges,
  createBodyMap,
  rangesOfBlock,
  rangesOfHeader,
  sparseOfRecords,
} from './sparse.ts'
import type { RawName, SparseRange, TarEntry } from './types.ts'

/** Extended headers and long names are held in memory: 1 MiB each, as Go's reader allows. */
const MAX_EXTENSION = 1 << 20

/** What a reader calls, in the order of the archive. An error thrown here ends the reading. */
export interface TarSink {
  entry(entry: TarEntry): void
  /** Bytes of the entry's file at `offset`; holes are left out. The chunk is the reader's: copy what must stay. */
  body(chunk: Buffer, offset: number): void
  /** The entry's last byte has come; also called for entries without a body. */
  end(): void
}

/** Sees an archive's bytes as they stand, and may take whole entries before they are read. */
export interface TarTap {
  /** In front of each entry: how many of the next bytes it takes; 0 for none. */
  take(): number
  /** Bytes that it takes. */
  taken(bytes: Buffer): void
  /** All of them have come, or no more will: those that are to be read after all. It takes no such stretch twice. */
  back(): Buffer | undefined
  /** Bytes that are read, from `start` to `end`; the last before `take` end an entry. */
  read(chunk: Buffer, start: number, end: number): void
}

/** An entry whose sparse map is still to come. */
interface PendingEntry {
  entry: TarEntry
  stored: number
  padded: number
  map?: BodyMap
  ranges: SparseRange[]
}

type Expecting = 'header' | 'extension' | 'old-map' | 'body-map'

/**
 * A synchronous tar reader, fed with chunks of any size. It reads v7, ustar, PAX (global headers too), GNU's long
 * names, base-256 numbers and sparse files in all forms. Malformed input ends in an error of kind `corrupt`.
 */
export class TarReader {
  readonly #sink: TarSink
  readonly #tap: TarTap | undefined
  /** Bytes that the tap still takes. */
  #taking = 0
  #expecting: Expecting = 'header'
  /** Bytes of the block or extension being gathered, where it did not come in one chunk. */
  #partial = Buffer.alloc(0)
  #filled = 0
  #want = BLOCK
  #skip = 0
  #header: RawHeader | undefined
  #globals = new Map<string, PaxRecord>()
  #records: PaxRecord[] = []
  #longPath: RawName | undefined
  #longLink: RawName | undefined
  #zeroBlocks = 0
  #pending: PendingEntry | undefined
  #body: BodyCursor | undefined

  constructor(sink: TarSink, tap?: TarTap) {
    this.#sink = sink
    this.#tap = tap
  }

  /** Bytes after the end of the archive are taken and ignored. */
  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    while (at < chunk.length && this.#zeroBlocks < 2)
      at = this.#tap ? this.#readTapped(chunk, at, this.#tap) : this.#read(chunk, at)
  }

  /**
   * No more bytes will come. Throws `corrupt` where the archive ends inside an entry. The padding behind the last body
   * may be missing: so docker's client sends a context whose Dockerfile came from stdin.
   */
  finish(): void {
    while (this.#taking > 0) this.#takeBack()
    const between = this.#expecting === 'header' && this.#filled === 0 && !this.#body && this.#skip < BLOCK
    if (!between || this.#isExtended()) throw corrupt('malformed tar: it ends in the middle of an entry')
  }

  #isExtended(): boolean {
    return this.#records.length > 0 || this.#longPath !== undefined || this.#longLink !== undefined
  }

  #read(chunk: Buffer, at: number): number {
    if (this.#body) return this.#takeBody(chunk, at)
    return this.#skip > 0 ? this.#takeSkip(chunk, at) : this.#takeBlock(chunk, at)
  }

  #readTapped(chunk: Buffer, at: number, tap: TarTap): number {
    if (this.#taking === 0 && this.#isBetween()) this.#taking = tap.take()
    if (this.#taking === 0) {
      const next = this.#read(chunk, at)
      tap.read(chunk, at, next)
      return next
    }
    const next = Math.min(at + this.#taking, chunk.length)
    tap.taken(chunk.subarray(at, next))
    if (next - at === this.#taking) this.#takeBack()
    else this.#taking -= next - at
    return next
  }

  #takeBack(): void {
    this.#taking = 0
    const back = this.#tap?.back()
    if (back) this.push(back)
  }

  /** The next byte begins an entry, and nothing that came before says anything of it. */
  #isBetween(): boolean {
    if (this.#expecting !== 'header' || this.#filled > 0 || this.#body || this.#skip > 0) return false
    return this.#zeroBlocks === 0 && this.#globals.size === 0 && !this.#isExtended()
  }

  #takeSkip(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#skip, chunk.length - at)
    this.#skip -= taken
    return at + taken
  }

  #takeBody(chunk: Buffer, at: number): number {
    const body = this.#body
    if (!body) return at
    const next = body.take(chunk, at, this.#sink)
    if (body.left === 0) {
      this.#body = undefined
      this.#skip = body.padding
      this.#sink.end()
    }
    return next
  }

  #takeBlock(chunk: Buffer, at: number): number {
    const available = chunk.length - at
    if (this.#filled === 0 && available >= this.#want) {
      const end = at + this.#want
      this.#handleBlock(chunk.subarray(at, end))
      return end
    }
    if (this.#filled === 0) this.#partial = Buffer.allocUnsafe(this.#want)
    const taken = Math.min(this.#want - this.#filled, available)
    chunk.copy(this.#partial, this.#filled, at, at + taken)
    this.#filled += taken
    if (this.#filled === this.#want) {
      this.#filled = 0
      this.#handleBlock(this.#partial)
    }
    return at + taken
  }

  #handleBlock(block: Buffer): void {
    switch (this.#expecting) {
      case 'header':
        this.#handleHeader(block)
        break
      case 'extension':
        this.#handleExtension(block)
        break
      case 'old-map':
        this.#handleOldMap(block)
        break
      case 'body-map':
        this.#handleBodyMap(block)
        break
    }
  }

  #handleHeader(block: Buffer): void {
    if (isZeroBlock(block)) {
      this.#zeroBlocks += 1
      return
    }
    if (this.#zeroBlocks > 0) throw corrupt('malformed tar: a header follows an empty block')
    const header = parseHeader(block)
    switch (header.type) {
      case 'x':
      case 'X':
      case 'g':
      case 'L':
      case 'K':
        this.#expectExtension(header)
        break
      case 'V':
      case 'N':
      case 'A':
        this.#skip = paddedSize(header.size)
        break
      default:
        this.#beginEntry(header, block)
    }
  }

  #expectExtension(header: RawHeader): void {
    if (header.size < 0 || header.size > MAX_EXTENSION) throw corrupt('malformed tar: an extended header is too large')
    this.#header = header
    this.#want = header.size
    this.#expecting = 'extension'
    if (header.size === 0) this.#handleExtension(Buffer.alloc(0))
  }

  #handleExtension(body: Buffer): void {
    const type = this.#header?.type ?? 'x'
    switch (type) {
      case 'L':
        this.#longPath = untilNul(body)
        break
      case 'K':
        this.#longLink = untilNul(body)
        break
      case 'g':
        for (const record of parsePax(body)) this.#globals.set(record[0], record)
        break
      default:
        this.#records = parsePax(body)
    }
    this.#skip = paddedSize(body.length) - body.length
    this.#expectHeader()
  }

  #expectHeader(): void {
    this.#expecting = 'header'
    this.#want = BLOCK
    this.#header = undefined
  }

  #beginEntry(header: RawHeader, block: Buffer): void {
    const records = [...this.#globals.values(), ...this.#records]
    const { entry, stored } = resolveEntry(header, { records, path: this.#longPath, link: this.#longLink })
    this.#records = []
    this.#longPath = undefined
    this.#longLink = undefined
    this.#pending = { entry, stored, padded: paddedSize(stored), ranges: [] }
    const sparse = entry.kind === 'file' ? sparseOfRecords(records) : undefined
    if (header.type === 'S' && entry.kind === 'file') this.#beginOldMap(block)
    else if (!sparse) this.#emit()
    else if (sparse.place === 'records') this.#emit(sparse.ranges, sparse.size)
    else this.#beginBodyMap(sparse.size)
  }

  #beginOldMap(block: Buffer): void {
    const { ranges, more, size } = rangesOfHeader(block)
    const pending = this.#requirePending()
    pending.entry = { ...pending.entry, size }
    pending.ranges = ranges
    if (more) this.#expecting = 'old-map'
    else this.#emit(ranges, size)
  }

  #handleOldMap(block: Buffer): void {
    const { ranges, more } = rangesOfBlock(block)
    const pending = this.#requirePending()
    for (const range of ranges) pending.ranges.push(range)
    if (pending.ranges.length > MAX_SPARSE_RANGES) throw corrupt('malformed tar: a sparse map has too many ranges')
    if (!more) this.#emit(pending.ranges, pending.entry.size)
  }

  #beginBodyMap(size: number): void {
    const pending = this.#requirePending()
    pending.entry = { ...pending.entry, size }
    pending.map = createBodyMap()
    this.#expecting = 'body-map'
  }

  #handleBodyMap(block: Buffer): void {
    const pending = this.#requirePending()
    pending.stored -= BLOCK
    pending.padded -= BLOCK
    if (pending.stored < 0) throw corrupt('malformed tar: a sparse map is longer than its file')
    const ranges = pending.map?.feed(block)
    if (ranges) this.#emit(ranges, pending.entry.size)
  }

  #emit(ranges?: readonly SparseRange[], size = 0): void {
    const { entry, stored, padded } = this.#requirePending()
    if (ranges) checkRanges(ranges, size, stored)
    this.#pending = undefined
    this.#expectHeader()
    this.#sink.entry(ranges ? { ...entry, size, sparse: ranges } : entry)
    if (entry.kind !== 'file' || stored === 0) {
      this.#skip = padded
      this.#sink.end()
      return
    }
    this.#body = new BodyCursor(ranges ?? [{ offset: 0, length: stored }], stored, padded - stored)
  }

  #requirePending(): PendingEntry {
    if (!this.#pending) throw corrupt('malformed tar: a map without an entry')
    return this.#pending
  }
}

/** Where in a file the next bytes of its body belong. */
class BodyCursor {
  readonly #ranges: readonly SparseRange[]
  readonly padding: number
  left: number
  #index = 0
  #done = 0

  constructor(ranges: readonly SparseRange[], stored: number, padding: number) {
    this.#ranges = ranges
    this.left = stored
    this.padding = padding
  }

  take(chunk: Buffer, at: number, sink: TarSink): number {
    let range = this.#ranges[this.#index]
    while (range && this.#done === range.length) {
      this.#index += 1
      this.#done = 0
      range = this.#ranges[this.#index]
    }
    if (!range) throw corrupt('malformed tar: a body is longer than its map')
    const taken = Math.min(range.length - this.#done, chunk.length - at)
    sink.body(chunk.subarray(at, at + taken), range.offset + this.#done)
    this.#done += taken
    this.left -= taken
    return at + taken
  }
}

function untilNul(body: Buffer): RawName {
  const end = body.indexOf(0)
  return body.toString('latin1', 0, end < 0 ? body.length : end)
}
