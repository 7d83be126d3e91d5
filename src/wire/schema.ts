import * as v from 'valibot'
import { type EngineError, invalid } from '#base'

/** Go's decoder takes null for «not given», and so do clients that send it. */
export const text = v.nullish(v.string(), '')
export const flag = v.nullish(v.boolean(), false)
export const texts = v.nullish(v.array(v.string()), [])
export const number = v.nullish(v.number())
/** valibot's own `record` leaves keys such as «constructor» out, which are good names for a label. */
export const entries = v.pipe(
  v.custom<Readonly<Record<string, unknown>>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'Object',
  ),
  v.transform((value) => Object.entries(value)),
)
export const labels = v.nullish(
  v.pipe(
    entries,
    v.array(v.tuple([v.string(), v.string()])),
    v.transform((pairs): Readonly<Record<string, string>> => Object.fromEntries(pairs)),
  ),
  {},
)
/** Docker's «strslice»: a list, or one string. */
export const words = v.nullish(
  v.union([
    v.array(v.string()),
    v.pipe(
      v.string(),
      v.transform((word) => [word]),
    ),
  ]),
)
export const set = v.nullish(v.record(v.string(), v.unknown()), {})
export const object = v.record(v.string(), v.unknown())

/** A list would pass for an object without members. */
export function check<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  name = '',
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, Array.isArray(value) ? null : value)
  if (result.success) return result.output
  throw bodyError(result.issues[0], name)
}

function bodyError(issue: v.BaseIssue<unknown>, name: string): EngineError {
  const path = [name, v.getDotPath(issue) ?? ''].filter((part) => part !== '').join('.')
  const found = issue.received.startsWith('"') ? 'string' : issue.received
  return invalid(`invalid JSON: ${path}: cannot use ${found}, it must be ${issue.expected ?? 'valid'}`)
}
