import { parseError, sourceError, withoutLineEnd } from './source.ts'
import type { Position, Source, SourceRange } from './source.ts'
import { heredocMarks } from './heredoc.ts'
import type { Heredoc } from './types.ts'

/** An instruction's line: continuations joined, comments within taken out, heredoc bodies aside. */
export interface LogicalLine {
  readonly text: string
  readonly range: SourceRange
  readonly comments: readonly string[]
  readonly heredocs: readonly Heredoc[]
  /** A blank line among the continuations, if there is one. */
  readonly emptyContinuation?: SourceRange
  /** The place in the file of a part of `text` (UTF-16 offsets). */
  rangeOf(start: number, end: number): SourceRange
}

/** A run of `text` that stands in one physical line. */
interface Piece {
  readonly offset: number
  readonly position: Position
}

interface Reading {
  readonly source: Source
  readonly continuation: RegExp
  /** Index of the next physical line. */
  at: number
}

/** Cuts a file into logical lines; throws `DockerfileError` where a heredoc does not end. */
export function* logicalLines(source: Source, escape: '\\' | '`'): Generator<LogicalLine> {
  const reading: Reading = { source, continuation: continuationPattern(escape), at: 0 }
  let comments: string[] = []
  while (reading.at < source.lines.length) {
    const first = withoutLineEnd(source.lines[reading.at] ?? '')
    const trimmed = first.trimStart()
    if (trimmed.startsWith('#')) comments.push(trimmed.slice(1).trim())
    if (trimmed === '' || trimmed.startsWith('#')) {
      if (trimmed === '') comments = []
      reading.at += 1
      continue
    }
    yield readLine(reading, comments)
    comments = []
  }
}

/** The escape character at the end, blanks after it allowed; two of them are a character, not a continuation. */
function continuationPattern(escape: '\\' | '`'): RegExp {
  const written = escape === '\\' ? '\\\\' : '`'
  return new RegExp(`(?<!${written})${written}[ \\t]*$`)
}

/** Blanks at the end are looked at apart, so that the pattern never scans a line of blanks again and again. */
function continues(line: string, pattern: RegExp): number | undefined {
  const solid = line.replace(TRAILING_BLANKS, '')
  const match = pattern.exec(solid.slice(-2))
  return match === null ? undefined : solid.length - 1
}

const TRAILING_BLANKS = /(?<![ \t])[ \t]+$/

function readLine(reading: Reading, comments: readonly string[]): LogicalLine {
  const { source } = reading
  const startLine = reading.at + 1
  const parts: string[] = []
  const pieces: Piece[] = []
  let length = 0
  let emptyContinuation: SourceRange | undefined
  for (let more = true; more && reading.at < source.lines.length; reading.at += 1) {
    const whole = withoutLineEnd(source.lines[reading.at] ?? '')
    const line = parts.length === 0 ? whole.trimStart() : whole
    if (parts.length > 0 && line.trimStart().startsWith('#')) continue
    if (parts.length > 0 && line.trim() === '') {
      emptyContinuation ??= physical(source, reading.at)
      continue
    }
    const end = continues(line, reading.continuation)
    pieces.push({ offset: length, position: { line: reading.at + 1, column: whole.length - line.length + 1 } })
    parts.push(line.slice(0, end))
    length += end ?? line.length
    more = end !== undefined
  }
  const text = parts.join('')
  const place = placer(source.file, pieces)
  const heredocs = readHeredocs(reading, text, startLine)
  const start = pieces[0]?.position ?? { line: startLine, column: 1 }
  const range = { file: source.file, start, end: endOf(source, reading.at) }
  return { text, range, comments, heredocs, ...(emptyContinuation ? { emptyContinuation } : {}), rangeOf: place }
}

function readHeredocs(reading: Reading, text: string, startLine: number): readonly Heredoc[] {
  return heredocMarks(text).map((mark) => {
    const body: string[] = []
    for (; reading.at < reading.source.lines.length; reading.at += 1) {
      const raw = reading.source.lines[reading.at] ?? ''
      const line = withoutLineEnd(raw)
      if ((mark.stripTabs ? line.replace(/^\t+/, '') : line) === mark.name) {
        reading.at += 1
        return { ...mark, text: body.join('') }
      }
      body.push(raw)
    }
    const range = physical(reading.source, startLine - 1)
    throw sourceError(reading.source, range, 'failed to parse Dockerfile: unterminated heredoc')
  })
}

function physical(source: Source, index: number): SourceRange {
  const text = withoutLineEnd(source.lines[index] ?? '')
  const line = index + 1
  return { file: source.file, start: { line, column: 1 }, end: { line, column: text.length + 1 } }
}

function endOf(source: Source, nextIndex: number): Position {
  return physical(source, nextIndex - 1).end
}

function placer(file: string, pieces: readonly Piece[]): (start: number, end: number) => SourceRange {
  const positionOf = (offset: number): Position => {
    const piece = pieces.findLast((each) => each.offset <= offset) ?? pieces[0]
    const position = piece?.position ?? { line: 1, column: 1 }
    return { line: position.line, column: position.column + offset - (piece?.offset ?? 0) }
  }
  return (start, end) => {
    const last = positionOf(Math.max(start, end - 1))
    return { file, start: positionOf(start), end: { line: last.line, column: last.column + 1 } }
  }
}

/** An error about a part of a line. */
export function lineError(source: Source, line: LogicalLine, span: readonly [number, number], what: string) {
  return parseError(source, line.rangeOf(span[0], span[1]), what)
}
