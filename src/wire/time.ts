import { invalid } from '#base'

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** Nanoseconds of a text such as «1h30m», «500ms», «-1.5h» (Go's time.ParseDuration), or undefined. */
export function findDuration(text: string): bigint | undefined {
  if (text === '0') return 0n
  if (!/^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, number, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(number) * (UNITS[unit ?? ''] ?? 0)
  }
  const nanoseconds = BigInt(Math.round(total))
  return text.startsWith('-') ? -nanoseconds : nanoseconds
}

/**
 * Nanoseconds since the epoch of what `since` and `until` may be: seconds with a fraction, a date and time (RFC 3339,
 * parts from the right may be missing, local where there is no zone), or a duration before `now` («10m»).
 */
export function parseTimestamp(text: string, now: bigint): bigint {
  const [, sign, seconds, fraction = ''] = /^([-+]?)(\d{1,18})(?:\.(\d{1,9})\d*)?$/.exec(text) ?? []
  if (seconds !== undefined) {
    const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
    return sign === '-' ? -value : value
  }
  const duration = findDuration(text)
  if (duration !== undefined) return now - duration
  const date = findDate(text)
  if (date === undefined) throw invalid(`invalid timestamp "${text}": invalid syntax`)
  return date
}

/** Docker's rough words for a length of time: «5 seconds», «About a minute», «2 hours», «3 weeks». */
export function formatRoughly(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.round(milliseconds / 3_600_000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`
  return `${Math.floor(hours / 24 / 365)} years`
}

function findDate(text: string): bigint | undefined {
  const pattern = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d{2}:\d{2})?$/
  const [, day, hour = '00', minute = '00', second = '00', fraction = '', zone = ''] = pattern.exec(text) ?? []
  if (day === undefined) return undefined
  const milliseconds = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`)
  if (Number.isNaN(milliseconds)) return undefined
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}
