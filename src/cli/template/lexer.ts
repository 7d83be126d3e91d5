import { placeOf, TemplateError } from './error.ts'

export type TokenKind =
  | 'text'
  | 'left'
  | 'right'
  | 'dot'
  | 'field'
  | 'variable'
  | 'word'
  | 'keyword'
  | 'bool'
  | 'string'
  | 'number'
  | 'char'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'comma'
  | 'open'
  | 'close'
  | 'end'

export interface Token {
  readonly kind: TokenKind
  /** As written. */
  readonly text: string
  readonly at: number
  /** White space stands before it. */
  readonly spaced: boolean
}

const KEYWORDS = new Set([
  'if',
  'else',
  'end',
  'range',
  'with',
  'define',
  'template',
  'block',
  'break',
  'continue',
  'nil',
])

/** The parts of an action, tried in this order at each place. */
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['number', /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?)/y],
  ['field', /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ['dot', /\./y],
  ['variable', /\$[\p{L}\p{Nd}_]*/uy],
  ['word', /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.)*'/y],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['comma', /,/y],
  ['open', /\(/y],
  ['close', /\)/y],
]

/** Cuts a template into text and the tokens of its actions; comments and what trim markers take away are left out. */
export function tokenize(template: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  let trim = false
  for (;;) {
    const open = template.indexOf('{{', at)
    const text = textBetween(template, { from: at, to: open < 0 ? template.length : open, trim })
    const trimsBefore = open >= 0 && /^\{\{-\s/.test(template.slice(open, open + 4))
    const kept = trimsBefore ? text.trimEnd() : text
    if (kept !== '') tokens.push({ kind: 'text', text: kept, at, spaced: false })
    if (open < 0) break
    const inner = open + (trimsBefore ? 3 : 2)
    const comment = skipComment(template, inner)
    if (comment === undefined) {
      tokens.push({ kind: 'left', text: '{{', at: open, spaced: false })
      at = readAction(template, inner, tokens)
    } else at = comment
    trim = template.slice(at - 4, at - 2).match(/^\s-$/) !== null
  }
  tokens.push({ kind: 'end', text: '', at: template.length, spaced: false })
  return tokens
}

function textBetween(
  template: string,
  { from, to, trim }: { readonly from: number; readonly to: number; readonly trim: boolean },
): string {
  const text = template.slice(from, to)
  return trim ? text.trimStart() : text
}

/** Gives the end of a comment that begins here, with its braces. */
function skipComment(template: string, inner: number): number | undefined {
  const begin = /\s*\/\*/y
  begin.lastIndex = inner
  if (!begin.test(template)) return undefined
  const end = template.indexOf('*/', begin.lastIndex)
  if (end < 0) throw lexError(template, inner, 'unclosed comment')
  const close = /(?:\s+-)?\}\}/y
  close.lastIndex = end + 2
  if (!close.test(template)) throw lexError(template, inner, 'comment ends before closing delimiter')
  return close.lastIndex
}

/** Reads up to the closing braces; gives the place behind them. */
function readAction(template: string, start: number, tokens: Token[]): number {
  let at = start
  let depth = 0
  for (;;) {
    const space = /\s*/y
    space.lastIndex = at
    space.test(template)
    const spaced = space.lastIndex > at
    const close = spaced && template.startsWith('-}}', space.lastIndex) ? space.lastIndex + 1 : space.lastIndex
    if (template.startsWith('}}', close)) {
      if (depth > 0) throw lexError(template, close, 'unclosed left paren')
      tokens.push({ kind: 'right', text: '}}', at: close, spaced })
      return close + 2
    }
    at = space.lastIndex
    const token = nextToken(template, at, spaced)
    depth += token.kind === 'open' ? 1 : token.kind === 'close' ? -1 : 0
    if (depth < 0) throw lexError(template, at, 'unexpected right paren')
    tokens.push(token)
    at += token.text.length
  }
}

function nextToken(template: string, at: number, spaced: boolean): Token {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at
    const [text] = pattern.exec(template) ?? []
    if (text === undefined) continue
    if (kind === 'word' && (text === 'true' || text === 'false')) return { kind: 'bool', text, at, spaced }
    return { kind: kind === 'word' && KEYWORDS.has(text) ? 'keyword' : kind, text, at, spaced }
  }
  throw lexError(template, at, complaintAt(template, at))
}

function complaintAt(template: string, at: number): string {
  const char = String.fromCodePoint(template.codePointAt(at) ?? 0)
  if (at >= template.length) return 'unclosed action'
  if (char === '"') return 'unterminated quoted string'
  if (char === '`') return 'unterminated raw quoted string'
  if (char === "'") return 'unterminated character constant'
  if (char === ':') return 'expected :='
  const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return `${/[a-z0-9_.)"'`]/i.test(template.charAt(at - 1)) ? 'bad character' : 'unrecognized character in action:'} U+${code} '${char}'`
}

export function lexError(template: string, at: number, message: string): TemplateError {
  return new TemplateError('parse', `template: :${placeOf(template, at).line}: ${message}`)
}
