import { type Bytes, corrupt } from '#base'

/** One line of a progress stream: pull, push, load, import, build. */
export interface ProgressLine {
  readonly stream?: string
  readonly status?: string
  readonly id?: string
  readonly progress?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
  readonly aux?: unknown
  readonly errorDetail?: { readonly code?: number; readonly message: string }
  readonly error?: string
}

/** Longest line that is read; a build's output comes in pieces far shorter. */
const MAX_LINE = 16 * 1024 * 1024

/** A value as a line. Docker ends the lines of progress streams with CR LF, and clients split at either. */
export function encodeLine(value: unknown): string {
  return `${JSON.stringify(value)}\r\n`
}

/** The JSON values of a stream of lines; the last may lack its line end. Throws `corrupt` at what is not JSON. */
export async function* decodeLines(bytes: Bytes): AsyncIterable<unknown> {
  for await (const line of decodeText(bytes)) yield parseLine(line)
}

/** The lines themselves, as text; empty ones are left out. Throws `corrupt` at one that has no end. */
export async function* decodeText(bytes: Bytes): AsyncIterable<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of bytes) {
    text += decoder.decode(chunk, { stream: true })
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    if (text.length > MAX_LINE) throw corrupt('cannot read JSON lines: a line is too long')
    for (const line of lines) if (line.trim() !== '') yield line
  }
  text += decoder.decode()
  if (text.trim() !== '') yield text
}

/** The bar and numbers that Docker's progress lines carry for clients that show them as they are. */
export function progressText(current: number, total: number): string {
  const size = formatSize(current).padStart(8)
  if (total <= 0) return size
  const done = Math.min(50, Math.floor((current / total) * 50))
  return `[${'='.repeat(done)}>${' '.repeat(50 - done)}] ${size}/${formatSize(total)}`
}

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Bytes as people read them, in thousands with four digits («2.063MB»), as Docker's progress does. */
export function formatSize(bytes: number, digits = 4): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < SIZE_UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${Number(value.toPrecision(digits))}${SIZE_UNITS[unit] ?? ''}`
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) throw corrupt(`cannot read JSON lines: ${error.message}`, { cause: error })
    throw error
  }
}
