import { invalid, isKind } from '#base'
import { type Filters, parseTimestamp } from '#wire'

/** Nanoseconds since the epoch of a prune's filter `until`; undefined where it is absent. Errors in Docker's words. */
export function untilOf(filters: Filters, now: bigint): bigint | undefined {
  const [text, ...more] = filters.get('until') ?? []
  if (more.length > 0) throw invalid('more than one until filter specified')
  return text === undefined ? undefined : parseUntil(text, now)
}

/** A time or how long ago, as prunes read it. */
export function parseUntil(text: string, now: bigint): bigint {
  try {
    return parseTimestamp(text, now)
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error
    throw invalid(`failed to parse value as time or duration: "${text}"`, { cause: error })
  }
}
