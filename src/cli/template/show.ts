import { formOf, isList, isMap, isNil, isView, keysOf, NIL_POINTER } from './value.ts'

/** As Go prints a value (%v): lists in brackets, maps with their word, no value where there is none. */
export function showValue(value: unknown, none = '<no value>'): string {
  if (value === undefined || value === null) return none
  if (value === NIL_POINTER) return '<nil>'
  if (isList(value)) return `[${value.map((each) => showValue(each, '<nil>')).join(' ')}]`
  if (isView(value)) return showValue(value.fields)
  if (isMap(value))
    return `map[${keysOf(value)
      .map((key) => `${key}:${showValue(value[key], '<nil>')}`)
      .join(' ')}]`
  return typeof value === 'number' ? showNumber(value) : textOf(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'boolean' ? String(value) : ''
}

/** %v of a float changes to exponents at 1e21, as JavaScript does; Go writes at least two digits of them. */
function showNumber(value: number): string {
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2')
}

/** As docker's function `json` writes a value. */
export function writeJson(value: unknown): string {
  return JSON.stringify(plain(value)) ?? 'null'
}

function plain(value: unknown): unknown {
  if (value === undefined || isNil(value)) return null
  if (isView(value)) return plain(value.fields)
  if (isList(value)) return value.map(plain)
  if (isMap(value)) return Object.fromEntries(Object.entries(formOf(value)).map(([key, each]) => [key, plain(each)]))
  return value
}

/** As Go quotes a string (%q). */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/\\u00([0-9a-f]{2})/g, (_, code: string) => ESCAPED[code] ?? `\\x${code}`)
}

const ESCAPED: Readonly<Record<string, string>> = { '07': '\\a', '0b': '\\v' }
