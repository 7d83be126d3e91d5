import type { FileHandle } from 'node:fs/promises'
import { watch } from 'node:fs'
import type { LogFiles, LogReading } from './log-files.ts'
import type { LogLine, LogOptions } from './types.ts'

const LINE_FEED = 10
const BLANK = 32
const CHUNK = 64 * 1024

/** One line of a k8s-file log: `RFC3339nano stdout|stderr F|P text`; undefined where it is not of that form. */
export function parseLogLine(line: Uint8Array): LogLine | undefined {
  const first = line.indexOf(BLANK)
  const second = line.indexOf(BLANK, first + 1)
  const third = line.indexOf(BLANK, second + 1)
  if (first < 0 || second < 0 || third !== second + 2) return undefined
  const text = Buffer.from(line.buffer, line.byteOffset, third)
  const time = parseTime(text.toString('latin1', 0, first))
  const stream = text.toString('latin1', first + 1, second)
  const mark = line[second + 1]
  if (time === undefined || (stream !== 'stdout' && stream !== 'stderr') || (mark !== FULL && mark !== PARTIAL))
    return undefined
  return { time, stream, ended: mark === FULL, bytes: line.subarray(third + 1) }
}

const FULL = 'F'.charCodeAt(0)
const PARTIAL = 'P'.charCodeAt(0)

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/

/** Nanoseconds since the epoch of an RFC 3339 time. */
function parseTime(text: string): bigint | undefined {
  const match = TIME.exec(text)
  if (!match) return undefined
  const seconds = Date.parse(`${match[1]}${match[3]}`)
  return BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'))
}

/** Whether more can still be written to a log. */
export interface LogLife {
  /** False once the container's process is gone and all it wrote is in the file. */
  isLive(): boolean
  /** Resolves at the next end of its process. */
  ended(): Promise<unknown>
}

/** The lines of a log, byte for byte: a line that ended comes with its line feed. Follows its files where asked for. */
export async function* readLog(files: LogFiles, options: LogOptions, life: LogLife): AsyncIterable<LogLine> {
  const { wanted, isPast } = selectionOf(options)
  using growth = options.follow ? watchGrowth(files.folder, life, options.signal) : undefined
  const reading = files.read()
  try {
    for await (const line of linesOf({ files, reading, options, life, growth })) {
      if (isPast(line)) return
      if (wanted(line)) yield line
    }
  } finally {
    reading[Symbol.dispose]()
    // What was held for this reader; where the container has ended nobody else looks.
    await files.trim()
  }
}

interface Reading {
  readonly files: LogFiles
  readonly reading: LogReading
  readonly options: LogOptions
  readonly life: LogLife
  readonly growth: Growth | undefined
}

/** The last lines that were asked for, or all; then, where it is followed, those to come. */
async function* linesOf(where: Reading): AsyncIterable<LogLine> {
  const { files, reading, options } = where
  const last = files.newest
  let { number, position } = await beginning(files, reading, options)
  while (options.follow || number <= last) {
    reading.pass(number)
    if ((yield* linesOfFile(where, number, position)) === 'end') return
    number += 1
    position = 0
  }
}

/** The lines of one file from a position on; tells whether another file comes behind it. */
async function* linesOfFile(
  { reading, options, life, growth }: Reading,
  number: number,
  position: number,
): AsyncGenerator<LogLine, 'end' | 'more'> {
  let open: LineReader | undefined
  try {
    for (;;) {
      // In this order: what was written before these became true is read after it.
      const [live, final] = [life.isLive(), reading.isFinal(number)]
      open ??= await openLines(reading, number, position)
      if (open) yield* open.available()
      if (final) return 'more'
      if (!growth || !live || options.signal?.aborted) return 'end'
      await growth.next()
    }
  } finally {
    await open?.close()
  }
}

async function openLines(reading: LogReading, number: number, position: number): Promise<LineReader | undefined> {
  const handle = await reading.open(number)
  return handle && new LineReader(handle, position)
}

interface Position {
  readonly number: number
  readonly position: number
}

/** Where to begin: at the oldest line, or so that the wanted number of lines follows. */
async function beginning(files: LogFiles, reading: LogReading, options: LogOptions): Promise<Position> {
  if (options.tail === undefined) return { number: reading.first, position: 0 }
  const count = { lines: 0, wanted: options.tail }
  for (let number = files.newest; number >= reading.first; number -= 1) {
    const handle = await reading.open(number)
    if (!handle) continue
    try {
      const position = await tailPosition(handle, count, selectionOf(options))
      if (position !== undefined) return { number, position }
    } finally {
      await handle.close()
    }
  }
  return { number: reading.first, position: 0 }
}

interface Selection {
  readonly wanted: (line: LogLine) => boolean
  readonly isPast: (line: LogLine) => boolean
}

function selectionOf(options: LogOptions): Selection {
  const { since, until } = options
  return {
    wanted: (line) => options[line.stream] && (since === undefined || line.time >= since),
    isPast: (line) => until !== undefined && line.time > until,
  }
}

/** Reads whole lines from where it stands; a half-written one is left for the next time. */
class LineReader {
  readonly #handle: FileHandle
  #position: number
  #rest: Buffer = Buffer.alloc(0)

  constructor(handle: FileHandle, position: number) {
    this.#handle = handle
    this.#position = position
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  /** All lines that are there now. */
  async *available(): AsyncIterable<LogLine> {
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK)
      const { bytesRead } = await this.#handle.read(chunk, 0, CHUNK, this.#position)
      if (bytesRead === 0) return
      this.#position += bytesRead
      yield* this.#split(chunk.subarray(0, bytesRead))
    }
  }

  *#split(chunk: Buffer): Iterable<LogLine> {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let start = 0
    for (let end = data.indexOf(LINE_FEED); end >= 0; end = data.indexOf(LINE_FEED, start)) {
      const line = parseLogLine(data.subarray(start, end))
      // A line that ended gets its line feed back: it stands behind it in the file too.
      if (line) yield line.ended ? { ...line, bytes: withLineFeed(data, end, line.bytes.length) } : line
      start = end + 1
    }
    this.#rest = data.subarray(start)
  }
}

function withLineFeed(data: Buffer, end: number, length: number): Buffer {
  return data.subarray(end - length, end + 1)
}

interface TailCount {
  /** Found so far, in files behind this one. */
  lines: number
  readonly wanted: number
}

/**
 * Where the last wanted lines begin, looked for from the end; a line in several chunks counts once. Undefined where they
 * begin in a file before this one.
 */
async function tailPosition(
  handle: FileHandle,
  count: TailCount,
  { wanted, isPast }: Selection,
): Promise<number | undefined> {
  const { size } = await handle.stat()
  if (count.wanted === 0) return size
  for await (const { bytes, end } of backwards(handle, size)) {
    const line = parseLogLine(bytes)
    if (!line || !wanted(line) || isPast(line)) continue
    // The newest may be without its end; every other end is that of one line more.
    if (line.ended || count.lines === 0) count.lines += 1
    if (count.lines > count.wanted) return end
  }
  return undefined
}

/** The lines of a file, last first, each with the position behind its line feed. What is behind the last one is left out. */
async function* backwards(
  handle: FileHandle,
  size: number,
): AsyncIterable<{ readonly bytes: Buffer; readonly end: number }> {
  let rest = Buffer.alloc(0)
  for (let start = size; start > 0;) {
    const from = Math.max(0, start - CHUNK)
    const block = Buffer.alloc(start - from)
    await handle.read(block, 0, block.length, from)
    const data = Buffer.concat([block, rest])
    let end = data.lastIndexOf(LINE_FEED)
    while (end >= 0) {
      const before = end === 0 ? -1 : data.lastIndexOf(LINE_FEED, end - 1)
      if (before < 0 && from > 0) break
      yield { bytes: data.subarray(before + 1, end), end: from + end + 1 }
      end = before
    }
    rest = data.subarray(0, end + 1)
    start = from
  }
}

/** Where inotify is silent the file is looked at again after so long. Milliseconds. */
const LOOK_EVERY = 500

/** Tells when a log may have grown since it was last asked. */
interface Growth extends Disposable {
  /** Resolves when it may have, the container ended, or nobody listens any more. */
  next(): Promise<void>
}

/** Watches a folder from now on: what is written between a read and the question after it is not missed. */
function watchGrowth(folder: string, life: LogLife, signal: AbortSignal | undefined): Growth {
  let grown = false
  let wake: (() => void) | undefined
  const note = (): void => {
    grown = true
    wake?.()
  }
  signal?.addEventListener('abort', note)
  void life.ended().then(note, note)
  const watcher = watchFolder(folder, note)
  return {
    async next() {
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      const timer = setTimeout(resolve, LOOK_EVERY)
      if (!grown && !signal?.aborted) await promise
      clearTimeout(timer)
      grown = false
    },
    [Symbol.dispose]() {
      watcher?.close()
      signal?.removeEventListener('abort', note)
    },
  }
}

function watchFolder(path: string, changed: () => void): { close(): void } | undefined {
  try {
    const watcher = watch(path, { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    // Not there yet, or no watch to be had: then it is looked at now and again.
    return undefined
  }
}
