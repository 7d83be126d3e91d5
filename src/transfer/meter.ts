import type { Bytes, Clock } from '#base'
import type { ProgressSink } from './types.ts'

/** Milliseconds between two lines of one layer: a terminal shows no more. */
const INTERVAL = 100

export interface MeterFacts {
  readonly id: string
  readonly status: string
  readonly total: number
  /** Bytes that were there before. */
  readonly from?: number
}

/** Counts bytes that pass and says so, not too often; the last one always. */
export interface Meter {
  add(count: number): void
}

export function createMeter(clock: Clock, report: ProgressSink, facts: MeterFacts): Meter {
  const { id, status, total, from = 0 } = facts
  let current = from
  let next = 0
  return {
    add(count) {
      current += count
      const now = clock.milliseconds()
      if (now < next && current < total) return
      next = now + INTERVAL
      report({ id, status, current, total })
    },
  }
}

/** The same bytes, counted. */
export async function* metered(bytes: Bytes, meter: Meter): Bytes {
  for await (const chunk of bytes) {
    meter.add(chunk.length)
    yield chunk
  }
}
