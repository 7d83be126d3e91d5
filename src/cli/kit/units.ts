import { formatRoughly, formatSize, parseTimestamp } from '#wire'

/** Bytes with three digits in thousands, as Docker's tables show them («164MB», «0B»). */
export function size(bytes: number): string {
  return formatSize(bytes, 3)
}

/** «3 weeks ago», of a time in milliseconds; docker shows nothing for a time that is not set. */
export function ago(then: number, now: number): string {
  return `${formatRoughly(Math.max(0, now - then))} ago`
}

/** «2026-11-21T01:02:03Z», in the local zone as docker's --no-trunc and -H=false show it. */
export function isoLocal(milliseconds: number): string {
  const date = new Date(milliseconds)
  const offset = -date.getTimezoneOffset()
  const local = new Date(milliseconds + offset * 60_000).toISOString().slice(0, 19)
  return `${local}${offset === 0 ? 'Z' : zone(offset)}`
}

function zone(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const whole = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(whole / 60))}:${two(whole % 60)}`
}

/**
 * A time that was typed, as the daemon reads it: a number as it is, a duration counted from this machine's clock (docker's
 * client does the same). Throws `invalid` where it is no time.
 */
export function apiTime(text: string | undefined, now: number): string | undefined {
  if (text === undefined || text === '') return undefined
  const time = parseTimestamp(text, BigInt(now) * 1_000_000n)
  if (/^-?\d+(\.\d+)?$/.test(text)) return text
  const nanoseconds = ((time % SECOND) + SECOND) % SECOND
  return `${(time - nanoseconds) / SECOND}.${String(nanoseconds).padStart(9, '0')}`
}

const SECOND = 1_000_000_000n
