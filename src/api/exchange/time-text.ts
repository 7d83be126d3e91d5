import { formatTime } from '#base'

/** Docker's text for «never». */
const NEVER = '0001-01-01T00:00:00Z'

/** RFC 3339 of nanoseconds since the epoch; 0n is «never». */
export function timeText(nanoseconds: bigint): string {
  return nanoseconds === 0n ? NEVER : formatTime(nanoseconds)
}

/** Whole seconds since the epoch. */
export function secondsOf(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000_000n)
}

/** Seconds since the epoch of an RFC 3339 text; 0 where there is none. */
export function secondsOfText(text: string | undefined): number {
  const milliseconds = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000)
}

/** RFC 3339 with nine digits always, as log lines have it. */
export function logTimeText(nanoseconds: bigint): string {
  const whole = new Date(Number(nanoseconds / 1_000_000n)).toISOString().slice(0, 19)
  return `${whole}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, '0')}Z`
}

/** Now, in nanoseconds since the epoch: what `since`, `until` and ages are counted from. */
export function wallClock(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
