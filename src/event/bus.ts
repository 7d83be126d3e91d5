import type { Clock } from '#base'
import type { EngineEvent, EventBus } from './types.ts'

/** How many past events `follow({ since })` can still see; Docker keeps 256, tests like to see more. */
const KEPT = 1024

export function createEventBus(clock: Clock): EventBus {
  const kept: EngineEvent[] = []
  const listeners = new Set<(event: EngineEvent) => void>()
  return {
    emit(fact) {
      const event: EngineEvent = { ...fact, time: clock.nanoseconds() }
      kept.push(event)
      if (kept.length > KEPT) kept.shift()
      for (const listener of listeners) listener(event)
    },
    async *follow({ since, until, signal }) {
      const queue = since === undefined ? [] : kept.filter((event) => event.time >= since)
      let wake: (() => void) | undefined
      const listener = (event: EngineEvent): void => {
        queue.push(event)
        wake?.()
      }
      const stop = (): void => wake?.()
      listeners.add(listener)
      signal?.addEventListener('abort', stop)
      const timer =
        until === undefined ? undefined : setTimeout(stop, Number((until - clock.nanoseconds()) / 1_000_000n) + 1)
      try {
        for (;;) {
          const next = queue.shift()
          if (next && (until === undefined || next.time <= until)) yield next
          else if (signal?.aborted || (until !== undefined && clock.nanoseconds() >= until)) return
          else if (!next) await new Promise<void>((resolve) => (wake = resolve))
          wake = undefined
        }
      } finally {
        clearTimeout(timer)
        listeners.delete(listener)
        signal?.removeEventListener('abort', stop)
      }
    },
  }
}
