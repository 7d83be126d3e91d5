import { lexError, type Token } from './lexer.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
}

/** The value of a literal: quoted and raw strings, characters (as their numbers), numbers, true and false. */
export function parseConstant(template: string, { kind, text, at }: Token): string | number | boolean {
  if (kind === 'bool') return text === 'true'
  if (kind === 'number') {
    const digits = text.replaceAll('_', '')
    const value = /^[+-]?0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits.replace(/^\+/, ''))
    if (Number.isNaN(value)) throw lexError(template, at, `bad number syntax: ${JSON.stringify(text)}`)
    return value
  }
  if (text.startsWith('`')) return text.slice(1, -1)
  const value = unquote(text.slice(1, -1))
  if (value === undefined) throw lexError(template, at, 'invalid syntax')
  if (kind === 'string') return value
  const [code, ...more] = Array.from(value, (char) => char.codePointAt(0) ?? 0)
  if (code === undefined || more.length > 0) throw lexError(template, at, `malformed character constant: ${text}`)
  return code
}

const ESCAPE = /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/gsu
const LAST_CODE = 0x10_ff_ff

/** Undefined for an escape that Go does not know. */
function unquote(text: string): string | undefined {
  let known = true
  const plain = text.replace(ESCAPE, (_, code: string) => {
    if (/^[0-7]{3}$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
    if (code.length > 1) return String.fromCodePoint(Math.min(Number.parseInt(code.slice(1), 16), LAST_CODE))
    const found = ESCAPES[code]
    if (found === undefined) known = false
    return found ?? ''
  })
  return known ? plain : undefined
}
