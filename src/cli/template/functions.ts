import { printf } from './printf.ts'
import { showValue, writeJson } from './show.ts'
import { holdsTexts, isList, isMap, isTrue, isView, keysOf, NIL_POINTER, typeOf } from './value.ts'

/** Throws an Error whose message Go would give for the call. */
export type TemplateFunction = (...args: readonly unknown[]) => unknown

/** How many arguments a function takes. */
type Arity = readonly [least: number, most: number]

const MANY = Number.POSITIVE_INFINITY

interface Entry {
  readonly arity: Arity
  readonly call: TemplateFunction
}

const FUNCTIONS: Readonly<Record<string, Entry>> = {
  print: { arity: [0, MANY], call: (...args) => print(args) },
  println: { arity: [0, MANY], call: (...args) => `${args.map((each) => showValue(each, '<nil>')).join(' ')}\n` },
  printf: { arity: [1, MANY], call: (format, ...args) => printf(text(format), args) },
  len: { arity: [1, 1], call: (value) => length(value) },
  index: { arity: [1, MANY], call: (value, ...keys) => keys.reduce((found, key) => indexOne(found, key), value) },
  slice: { arity: [1, 4], call: slice },
  not: { arity: [1, 1], call: (value) => !isTrue(value) },
  and: { arity: [1, MANY], call: (...args) => args.find((each) => !isTrue(each)) ?? args.at(-1) },
  or: { arity: [1, MANY], call: (...args) => args.find((each) => isTrue(each)) ?? args.at(-1) },
  eq: { arity: [1, MANY], call: (first, ...others) => equalsAny(first, others) },
  ne: { arity: [2, 2], call: (one, other) => !equals(one, other) },
  lt: { arity: [2, 2], call: (one, other) => compare(one, other) < 0 },
  le: { arity: [2, 2], call: (one, other) => compare(one, other) <= 0 },
  gt: { arity: [2, 2], call: (one, other) => compare(one, other) > 0 },
  ge: { arity: [2, 2], call: (one, other) => compare(one, other) >= 0 },
  html: { arity: [0, MANY], call: (...args) => html(print(args)) },
  urlquery: { arity: [0, MANY], call: (...args) => urlQuery(print(args)) },
  json: { arity: [1, 1], call: (value) => writeJson(value) },
  split: { arity: [2, 2], call: (value, by) => text(value).split(text(by)) },
  join: { arity: [2, 2], call: (list, by) => texts(list).join(text(by)) },
  title: {
    arity: [1, 1],
    call: (value) => text(value).replace(/(?<![\p{L}\p{Nd}_])\p{L}/gu, (first) => first.toUpperCase()),
  },
  lower: { arity: [1, 1], call: (value) => text(value).toLowerCase() },
  upper: { arity: [1, 1], call: (value) => text(value).toUpperCase() },
  pad: { arity: [3, 3], call: (value, before, after) => padded(text(value), whole(before), whole(after)) },
  truncate: { arity: [2, 2], call: (value, size) => truncated(text(value), whole(size)) },
}

export const FUNCTION_NAMES: ReadonlySet<string> = new Set(Object.keys(FUNCTIONS))

/** Docker's functions leave headings as they are. */
const HEADING: ReadonlySet<string> = new Set(['json', 'title', 'lower', 'upper', 'truncate', 'split', 'join', 'pad'])

/** A wrong number or kind of arguments, said without «error calling»: as Go checks before it calls. */
export class ArgumentError extends Error {}

export function callFunction(name: string, args: readonly unknown[], options: { readonly heading: boolean }): unknown {
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (found === undefined) throw new ArgumentError(`${JSON.stringify(name)} is not a defined function`)
  const [least, most] = found.arity
  if (args.length < least || args.length > most) {
    const want = most === MANY ? `at least ${least}` : String(most)
    throw new ArgumentError(`wrong number of args for ${name}: want ${want} got ${args.length}`)
  }
  return options.heading && HEADING.has(name) ? args[0] : found.call(...args)
}

/** Go's fmt.Sprint: a space between neighbours that are both no strings. */
function print(args: readonly unknown[]): string {
  return args.reduce<string>((all, value, index) => {
    const apart = index > 0 && typeof value !== 'string' && typeof args[index - 1] !== 'string'
    return all + (apart ? ' ' : '') + showValue(value, '<nil>')
  }, '')
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw wrongType('string', value)
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value
  throw wrongType('int', value)
}

function texts(value: unknown): readonly string[] {
  if (isList(value) && value.every((each) => typeof each === 'string')) return value
  throw wrongType('[]string', value)
}

function wrongType(expected: string, value: unknown): ArgumentError {
  if (value === null || value === undefined) return new ArgumentError(`invalid value; expected ${expected}`)
  return new ArgumentError(`wrong type for value; expected ${expected}; got ${typeOf(value)}`)
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (isList(value)) return value.length
  if (isMap(value)) return Object.keys(value).length
  throw new Error(value === null || value === undefined ? 'len of nil pointer' : `len of type ${typeOf(value)}`)
}

function indexOne(value: unknown, key: unknown): unknown {
  if (value === null || value === undefined) throw new Error('index of untyped nil')
  if (isMap(value)) return memberOf(value, key)
  if (!isList(value) && typeof value !== 'string') throw new Error(`can't index item of type ${typeOf(value)}`)
  if (typeof key !== 'number') throw new Error(`cannot index slice/array with type ${typeOf(key)}`)
  const items = typeof value === 'string' ? Buffer.from(value) : value
  if (key < 0 || key >= items.length) throw new Error(`index out of range: ${key}`)
  return items[key]
}

function memberOf(map: Readonly<Record<string, unknown>>, key: unknown): unknown {
  if (typeof key !== 'string') throw new Error(`value has type ${typeOf(key)}; should be string`)
  if (Object.hasOwn(map, key)) return map[key]
  const values = Object.values(map)
  const texts = holdsTexts(map) || (values.length > 0 && values.every((each) => typeof each === 'string'))
  return texts ? '' : undefined
}

function slice(value: unknown, ...places: readonly unknown[]): unknown {
  if (typeof value !== 'string' && !isList(value)) throw new Error(`can't slice item of type ${typeOf(value)}`)
  const all = typeof value === 'string' ? Buffer.from(value) : value
  const [from = 0, to = all.length] = places.map((place) => {
    if (typeof place === 'number' && place >= 0 && place <= all.length) return place
    throw new Error(`index out of range: ${showValue(place)}`)
  })
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`)
  const part = all.slice(from, to)
  return Buffer.isBuffer(part) ? part.toString('utf8') : part
}

function equalsAny(first: unknown, others: readonly unknown[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison')
  return others.some((other) => equals(first, other))
}

function equals(one: unknown, other: unknown): boolean {
  const empty = (value: unknown): boolean => value === null || value === undefined || value === NIL_POINTER
  if (empty(one) || empty(other)) return empty(one) && empty(other)
  for (const value of [one, other])
    if (isList(value) || isMap(value) || isView(value))
      throw new Error(`non-comparable type ${showValue(value)}: ${typeOf(value)}`)
  if (typeof one !== typeof other) throw incompatible(one, other)
  return one === other
}

function compare(one: unknown, other: unknown): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  if (typeof one === 'string' && typeof other === 'string') return Buffer.compare(Buffer.from(one), Buffer.from(other))
  throw typeof one === typeof other ? new Error('invalid type for comparison') : incompatible(one, other)
}

function incompatible(one: unknown, other: unknown): Error {
  return new Error(`incompatible types for comparison: ${typeOf(one)} and ${typeOf(other)}`)
}

const HTML: Readonly<Record<string, string>> = { '"': '&#34;', "'": '&#39;', '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function html(value: string): string {
  return value.replace(/["'&<>]/g, (char) => HTML[char] ?? char)
}

function urlQuery(value: string): string {
  const escaped = encodeURIComponent(value).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return escaped.replaceAll('%20', '+')
}

function padded(value: string, before: number, after: number): string {
  return value === '' ? value : ' '.repeat(before) + value + ' '.repeat(after)
}

function truncated(value: string, size: number): string {
  return Array.from(value).slice(0, size).join('')
}

/** Items as `range` walks them: key and value. Undefined for what has none. */
export function itemsOf(value: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  if (isList(value)) return value.map((each, index) => [index, each])
  if (isMap(value)) return keysOf(value).map((key) => [key, value[key]])
  if (typeof value === 'number' && Number.isInteger(value)) return Array.from({ length: value }, (_, at) => [at, at])
  return undefined
}
