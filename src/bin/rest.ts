import { giveMemoryBack } from '#kernel'

/** Milliseconds until the first look, and between those after it. */
const FIRST_LOOK = 1500
const LOOK_EVERY = 15_000
/** A daemon whose event loop works for a smaller share of the time is idle. */
const IDLE_SHARE = 0.05
/** Less work since the last rest leaves nothing that is worth one. Milliseconds. */
const WORTH = 250

/**
 * Has an idle daemon give memory back: soon after its start, of which the most is left, later once it was idle for a while
 * after work. The first call after a rest takes some milliseconds longer. Keeps no process alive.
 */
export function restWhenIdle(worked: () => number = loopWork, rest: () => void = giveMemoryBack): void {
  let [seen, rested] = [worked(), -WORTH]
  const lookAfter = (span: number): void =>
    void setTimeout(() => {
      const work = worked()
      if (work - seen < IDLE_SHARE * span && work - rested >= WORTH) {
        rest()
        rested = worked()
      }
      seen = worked()
      lookAfter(LOOK_EVERY)
    }, span).unref()
  lookAfter(FIRST_LOOK)
}

/** Milliseconds in which the event loop of this thread had something to do. */
function loopWork(): number {
  return performance.eventLoopUtilization().active
}
