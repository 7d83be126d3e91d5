import { quote, showValue } from './show.ts'
import { isList, isMap, typeOf } from './value.ts'

const VERB = /%[-+# 0]*(?:\*|\d+)?(?:\.(?:\*|\d*))?./gsu
const PARTS = /^%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?(.)$/su

/** Go's fmt.Sprintf, for the verbs that templates use. */
export function printf(format: string, values: readonly unknown[]): string {
  let used = 0
  const take = (): unknown => values[used++]
  const text = format.replace(VERB, (found) => {
    const [, flags = '', width, precision, verb = ''] = PARTS.exec(found) ?? []
    if (verb === '%') return '%'
    const wide = numberOf(width, take)
    const exact = numberOf(precision, take)
    if (used >= values.length) return `%!${verb}(MISSING)`
    const value = take()
    return pad(formatOne(verb, value, { flags, precision: exact }), { flags, width: wide ?? 0, value })
  })
  if (used >= values.length) return text
  const extra = values.slice(used).map((value) => `${typeOf(value)}=${showValue(value, '<nil>')}`)
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function numberOf(text: string | undefined, take: () => unknown): number | undefined {
  return text === undefined ? undefined : Number(text === '*' ? take() : text)
}

interface Form {
  readonly flags: string
  readonly precision: number | undefined
}

function formatOne(verb: string, value: unknown, form: Form): string {
  const wrong = `%!${verb}(${typeOf(value)}=${showValue(value, '<nil>')})`
  if (isList(value) && verb !== 'v' && verb !== 'T')
    return `[${value.map((each) => formatOne(verb, each, form)).join(' ')}]`
  switch (verb) {
    case 'v':
      return form.flags.includes('#') && typeof value === 'string' ? quote(value) : showValue(value, '<nil>')
    case 'T':
      return typeOf(value)
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong
    case 's':
    case 'q':
      return formatText(verb, value, form) ?? wrong
    default:
      return formatNumber(verb, value, form) ?? wrong
  }
}

function formatText(verb: string, value: unknown, { precision }: Form): string | undefined {
  if (typeof value === 'string') {
    const cut = precision === undefined ? value : Array.from(value).slice(0, precision).join('')
    return verb === 'q' ? quote(cut) : cut
  }
  return isMap(value) && verb === 's' ? showValue(value) : undefined
}

const BASES: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 }

function formatNumber(verb: string, value: unknown, { flags, precision }: Form): string | undefined {
  if (typeof value === 'string' && (verb === 'x' || verb === 'X'))
    return cased(verb, Buffer.from(value).toString('hex'))
  if (typeof value !== 'number') return undefined
  if (verb === 'c') return String.fromCodePoint(value)
  const base = BASES[verb]
  const digits =
    base !== undefined && Number.isInteger(value)
      ? cased(verb, value.toString(base))
      : fractional(verb, value, precision)
  return digits === undefined ? undefined : (flags.includes('+') && value >= 0 ? '+' : '') + digits
}

function fractional(verb: string, value: number, precision: number | undefined): string | undefined {
  if (verb === 'f' || verb === 'F') return value.toFixed(precision ?? 6)
  if (verb === 'e') return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2')
  if (verb !== 'g') return undefined
  return precision === undefined ? showValue(value) : String(Number(value.toPrecision(precision)))
}

const cased = (verb: string, text: string): string => (verb === 'X' ? text.toUpperCase() : text)

function pad(
  text: string,
  { flags, width, value }: { readonly flags: string; readonly width: number; readonly value: unknown },
): string {
  const missing = Math.abs(width) - Array.from(text).length
  if (missing <= 0) return text
  if (flags.includes('-') || width < 0) return text + ' '.repeat(missing)
  if (!flags.includes('0') || typeof value !== 'number') return ' '.repeat(missing) + text
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  return sign + '0'.repeat(missing) + digits
}
