import { EngineError } from '#base'

/** A place in a Dockerfile: lines and columns (UTF-16 units) from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** From `start` up to, not including, `end`. */
export interface SourceRange {
  readonly file: string
  readonly start: Position
  readonly end: Position
}

/** A text with its name, cut into physical lines (line ends kept). */
export interface Source {
  readonly file: string
  readonly lines: readonly string[]
}

export function createSource(file: string, text: string): Source {
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  const whole = lines.map((line) => `${line}\n`)
  if (last !== '') whole.push(last)
  return { file, lines: whole }
}

/** The line without its end (`\n` or `\r\n`). */
export function withoutLineEnd(line: string): string {
  let end = line.length
  if (line.codePointAt(end - 1) === 10) end -= 1
  while (end > 0 && line.codePointAt(end - 1) === 13) end -= 1
  return line.slice(0, end)
}

/**
 * What is wrong with a Dockerfile (kind `invalid`). The message begins with Docker's words («dockerfile parse error
 * on line 3: …») and goes on with the file, the lines around, and a mark under what is meant.
 */
export class DockerfileError extends EngineError {
  readonly ranges: readonly SourceRange[]
  /** The first line of the message alone. */
  readonly summary: string

  constructor(summary: string, ranges: readonly SourceRange[], shown: string) {
    super('invalid', shown === '' ? summary : `${summary}\n${shown}`)
    this.name = 'DockerfileError'
    this.summary = summary
    this.ranges = ranges
  }
}

export function isDockerfileError(error: unknown): error is DockerfileError {
  return error instanceof DockerfileError
}

/** An error in the text itself: «dockerfile parse error on line N: …». */
export function parseError(source: Source, range: SourceRange, what: string): DockerfileError {
  const summary = `dockerfile parse error on line ${range.start.line}: ${what}`
  return new DockerfileError(summary, [range], excerpt(source, range))
}

/** An error of a file as a whole, or of a step when it is planned: the words as they are, with the excerpt. */
export function sourceError(source: Source, range: SourceRange, what: string): DockerfileError {
  return new DockerfileError(what, [range], excerpt(source, range))
}

/** Longer lines are cut in an excerpt; the mark stays where it belongs as long as it fits. */
const EXCERPT_WIDTH = 160
const EXCERPT_LINES = 6

/** `file:line`, one line before, the lines meant (marked by `>>>`), and carets under a part of a single line. */
function excerpt(source: Source, range: SourceRange): string {
  const first = Math.max(1, range.start.line - 1)
  const last = Math.min(source.lines.length, range.end.line)
  const rows = [`${source.file}:${range.start.line}`]
  for (let number = first; number <= last; number += 1) {
    const skipped = number - first >= EXCERPT_LINES && number < last
    if (skipped) {
      if (number - first === EXCERPT_LINES) rows.push('     |     …')
      continue
    }
    const text = withoutLineEnd(source.lines[number - 1] ?? '').slice(0, EXCERPT_WIDTH)
    const mark = number >= range.start.line ? '>>>' : '   '
    rows.push(`${String(number).padStart(4)} | ${mark} ${text}`.trimEnd())
    if (number === range.start.line) rows.push(...carets(range, text))
  }
  return rows.join('\n')
}

function carets(range: SourceRange, text: string): string[] {
  const { start, end } = range
  if (start.line !== end.line || start.column > text.length) return []
  const width = Math.min(end.column, text.length + 1) - start.column
  const indent = text.slice(0, start.column - 1).replace(/[^\t]/g, ' ')
  return [`     |     ${indent}${'^'.repeat(Math.max(1, width))}`]
}
