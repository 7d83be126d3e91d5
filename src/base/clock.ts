/** Where a room reads the time; passed in, so that tests can set it. */
export interface Clock {
  /** Wall clock, nanoseconds since the epoch. */
  nanoseconds(): bigint
  /** Wall clock, milliseconds since the epoch. */
  milliseconds(): number
}

export function systemClock(): Clock {
  const offset = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint()
  return {
    nanoseconds() {
      const precise = process.hrtime.bigint() + offset
      const coarse = BigInt(Date.now()) * 1_000_000n
      const drift = precise > coarse ? precise - coarse : coarse - precise
      return drift < MAX_DRIFT ? precise : coarse
    },
    milliseconds: () => Date.now(),
  }
}

/** A wall clock that was set makes the monotonic offset wrong: beyond this the coarse clock is believed. */
const MAX_DRIFT = 50_000_000n

/** RFC 3339 in UTC with nine digits, as Docker writes times («2026-11-21T01:02:03.000000004Z»). */
export function formatTime(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`
}
