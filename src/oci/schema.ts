import * as v from 'valibot'
import { isDigest, parseDiffId, parseDigest } from './digest.ts'

export const text = v.string()

/** A member that may be absent or null; both are undefined afterwards. */
export function optional<T extends v.GenericSchema>(schema: T) {
  return v.pipe(
    v.nullish(schema),
    v.transform((value) => value ?? undefined),
  )
}

const digestText = v.pipe(text, v.check(isDigest, 'want sha256: and 64 lower-case hex digits'))

export const digest = v.pipe(digestText, v.transform(parseDigest))
export const diffId = v.pipe(digestText, v.transform(parseDiffId))
/** Labels and annotations: any key is good. (valibot's own `record` drops «__proto__», «prototype» and «constructor».) */
export const annotations = v.pipe(
  v.custom<Readonly<Record<string, unknown>>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'want an object',
  ),
  v.transform((value) => Object.entries(value)),
  v.array(v.tuple([text, text])),
  v.transform((pairs): Record<string, string> => Object.fromEntries(pairs)),
)
