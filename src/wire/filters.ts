import { invalid } from '#base'

/** Values by filter name, as `docker ps --filter name=x --filter label=a=b` sends them. */
export type Filters = ReadonlyMap<string, readonly string[]>

/** Longest `filters` parameter that is read. */
const MAX_TEXT = 64 * 1024

/** The `filters` parameter: a map of lists, or as old clients send it a map of maps of booleans. */
export function parseFilters(text: string | undefined): Filters {
  if (text === undefined || text === '') return new Map()
  if (text.length > MAX_TEXT) throw invalid('invalid filter')
  const value = parseObject(text) ?? {}
  return new Map(Object.entries(value).map(([name, entry]) => [name, valuesOf(entry)]))
}

/** The parameter's text; undefined where there are no filters. */
export function formatFilters(filters: Readonly<Record<string, readonly string[]>>): string | undefined {
  return Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters)
}

/** Throws `invalid`, in Docker's words, where a filter's name is none of `allowed`. */
export function checkFilterNames(filters: Filters, allowed: readonly string[]): void {
  for (const name of filters.keys()) {
    if (!allowed.includes(name)) throw invalid(name === '' ? 'invalid filter' : `invalid filter '${name}'`)
  }
}

/** One yes-or-no filter; `otherwise` where it is absent. */
export function filterFlag<T>(filters: Filters, name: string, otherwise: T): boolean | T {
  const values = filters.get(name)
  if (values === undefined || values.length === 0) return otherwise
  const answers = new Set(values.map(parseFlag))
  const [answer] = answers
  if (answers.size !== 1 || answer === undefined) throw invalid(`invalid filter '${name}=[${values.join(' ')}]'`)
  return answer
}

/** True where the filter is absent or has one of these values. */
export function filterHas(filters: Filters, name: string, ...values: readonly string[]): boolean {
  const wanted = filters.get(name)
  return wanted === undefined || wanted.length === 0 || wanted.some((value) => values.includes(value))
}

/** True where the filter is absent, or a value is equal to, or as a regular expression found in, one of the texts. */
export function filterFinds(filters: Filters, name: string, ...texts: readonly string[]): boolean {
  const wanted = filters.get(name)
  if (wanted === undefined || wanted.length === 0) return true
  return wanted.some((value) => texts.some((text) => text === value || expression(value)?.test(text) === true))
}

/** True where every `key` or `key=value` of the filter is among the labels (with `label!`: where none is). */
export function filterLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  const has = (wanted: string): boolean => {
    const at = wanted.indexOf('=')
    const key = at < 0 ? wanted : wanted.slice(0, at)
    return Object.hasOwn(labels, key) && (at < 0 || labels[key] === wanted.slice(at + 1))
  }
  const unwanted = filters.get('label!') ?? []
  return (filters.get('label') ?? []).every(has) && !unwanted.some(has)
}

/** Null is no filters, as in Go. */
function parseObject(text: string): object | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid('invalid filter', { cause: error })
    throw error
  }
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid('invalid filter')
  return value
}

function valuesOf(entry: unknown): readonly string[] {
  if (entry === null) return []
  if (Array.isArray(entry) && entry.every((value) => typeof value === 'string')) return entry
  if (typeof entry !== 'object' || Array.isArray(entry)) throw invalid('invalid filter')
  return Object.entries(entry)
    .filter(([, on]) => on === true)
    .map(([value]) => value)
}

function parseFlag(value: string): boolean | undefined {
  if (['1', 't', 'true'].includes(value.toLowerCase())) return true
  if (['0', 'f', 'false'].includes(value.toLowerCase())) return false
  return undefined
}

/** Patterns come from the caller of the API, who owns the engine; a bad one matches nothing. */
function expression(value: string): RegExp | undefined {
  try {
    return new RegExp(value)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
