import { isSpace } from './lexer.ts'

/** An instruction's line in its parts. */
export interface CutInstruction {
  readonly keyword: string
  /** Flags as written, quotes and escapes taken away, with their place in the line. */
  readonly flags: readonly { readonly text: string; readonly start: number; readonly end: number }[]
  readonly rest: string
}

/** Keyword, flags (words that begin with `--`, until the first that does not, or a lone `--`), and what follows. */
export function cutInstruction(line: string): CutInstruction {
  const start = line.length - line.trimStart().length
  let at = start
  while (at < line.length && !isBlank(line.charAt(at))) at += 1
  const keyword = line.slice(start, at)
  const flags: CutInstruction['flags'][number][] = []
  for (;;) {
    while (at < line.length && isSpace(line.charAt(at))) at += 1
    if (!line.startsWith('--', at)) break
    const flag = readFlag(line, at)
    at = flag.end
    if (flag.text === '--') break
    if (flag.text !== '') flags.push(flag)
  }
  return { keyword, flags, rest: line.slice(at).trim() }
}

function readFlag(line: string, start: number) {
  const parts: string[] = []
  let quote: string | undefined
  let at = start
  for (; at < line.length; at += 1) {
    const char = line.charAt(at)
    if (quote === undefined && isSpace(char)) break
    if (quote === undefined && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = undefined
    else if (char === '\\') {
      at += 1
      parts.push(line.charAt(at))
    } else parts.push(char)
  }
  return { text: parts.join(''), start, end: Math.min(at, line.length) }
}

/** Words parted by blanks outside of quotes; quotes and escapes stay as they are for the expansion later. */
export function quotedWords(text: string, escape: '\\' | '`'): readonly string[] {
  const words: string[] = []
  let at = 0
  while (at < text.length) {
    while (at < text.length && isSpace(text.charAt(at))) at += 1
    if (at >= text.length) break
    const end = wordEnd(text, at, escape)
    const word = text.slice(at, end)
    words.push(end === text.length && endsEscaped(text, at, escape) ? word.slice(0, -1) : word)
    at = end
  }
  return words
}

function wordEnd(text: string, start: number, escape: string): number {
  let quote: string | undefined
  let at = start
  for (; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (quote === undefined && isSpace(char)) break
    if (char === escape && quote !== "'") at += 1
    else if (char === quote) quote = undefined
    else if (quote === undefined && (char === '"' || char === "'")) quote = char
  }
  return Math.min(at, text.length)
}

/** True where the text ends with an escape character that escapes nothing. */
function endsEscaped(text: string, start: number, escape: string): boolean {
  let count = 0
  while (text.length - 1 - count >= start && text.charAt(text.length - 1 - count) === escape) count += 1
  return count % 2 === 1
}

/** Words parted by blanks, quotes or not. */
export function blankWords(text: string): readonly string[] {
  return text.split(/[\t\v\f\r ]+/).filter((word) => word !== '')
}

function isBlank(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\v' || char === '\f' || char === '\r'
}
