import { invalid } from '#base'
import { type Filters, parseFilters } from '#wire'

/** The query of a request, read as Docker reads it. */
export interface Query {
  /** Undefined where absent or empty. */
  readonly text: (name: string) => string | undefined
  /** The bytes of a path, one character each: it need not be UTF-8. Undefined where absent or empty. */
  readonly name: (name: string) => string | undefined
  /** Absent, empty, 0, no, false and none are false; `otherwise` where absent or empty. */
  readonly flag: (name: string, otherwise?: boolean) => boolean
  /** Throws `invalid` where it is not a whole number. */
  readonly integer: (name: string) => number | undefined
  readonly list: (name: string) => readonly string[]
  readonly filters: () => Filters
  /** A JSON value, or undefined where absent. Throws `invalid`. */
  readonly json: (name: string) => unknown
}

const FALSE = new Set(['0', 'no', 'false', 'none'])

const NONE = new URLSearchParams()

/** The query of a target, from behind its «?». */
export function createQuery(search: string): Query {
  const parameters = search === '' ? NONE : new URLSearchParams(search)
  const text = (name: string): string | undefined => parameters.get(name) || undefined
  return {
    text,
    name: (name) => bytesOf(search, name) || undefined,
    flag(name, otherwise = false) {
      const value = text(name)
      return value === undefined ? otherwise : !FALSE.has(value.toLowerCase())
    },
    integer(name) {
      const value = text(name)
      if (value === undefined) return undefined
      if (!/^[-+]?\d{1,15}$/.test(value)) throw invalid(`invalid ${name}: parsing "${value}": invalid syntax`)
      return Number(value)
    },
    list: (name) => parameters.getAll(name).filter((value) => value !== ''),
    filters: () => parseFilters(text('filters')),
    json: (name) => parseJsonText(text(name), name),
  }
}

function bytesOf(search: string, name: string): string | undefined {
  const value = search
    .split('&')
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1)
  return value
    ?.replaceAll('+', ' ')
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function parseJsonText(value: string | undefined, name: string): unknown {
  if (value === undefined) return undefined
  try {
    return JSON.parse(value)
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`error reading ${name}: ${error.message}`, { cause: error })
    throw error
  }
}
