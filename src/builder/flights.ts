import { isKind } from '#base'

/** Work under way: `alias` is a second key under which it is found as soon as that is known. */
export interface Flight<T> {
  readonly key: string
  readonly alias?: () => Promise<string>
  readonly task: () => Promise<T>
}

/** Equal work in flight is done once; the others share its outcome. */
export interface Flights {
  /** `joined` says that another caller's work gave the outcome. */
  run<T>(flight: Flight<T>, signal: AbortSignal): Promise<{ readonly value: T; readonly joined: boolean }>
}

interface Flying {
  readonly work: Promise<unknown>
  /** Of who does it. */
  readonly signal: AbortSignal
}

/** Who does it may have been told that it hangs, while it goes on: that is told to those that wait for it too. */
async function unlessGivenUp({ work, signal }: Flying): Promise<unknown> {
  const hung = Promise.withResolvers<never>()
  const look = (): void => {
    if (isKind(signal.reason, 'unavailable')) hung.reject(signal.reason)
  }
  signal.addEventListener('abort', look, { once: true })
  try {
    if (signal.aborted) look()
    return await Promise.race([work, hung.promise])
  } finally {
    signal.removeEventListener('abort', look)
  }
}

export function createFlights(): Flights {
  const flights = new Map<string, Flying>()
  return {
    async run<T>({ key, alias, task }: Flight<T>, signal: AbortSignal) {
      for (let flying = flights.get(key); flying !== undefined; flying = flights.get(key)) {
        try {
          return { value: (await unlessGivenUp(flying)) as T, joined: true }
        } catch (error) {
          // the other one was cancelled, not this one: its turn now
          if (!isKind(error, 'cancelled') || signal.aborted) throw error
        }
      }
      const keys = [key]
      const work = task().finally(() => {
        for (const each of keys) if (flights.get(each) === flight) flights.delete(each)
        keys.length = 0
      })
      const flight: Flying = { work, signal }
      flights.set(key, flight)
      alias?.().then(
        (second) => {
          if (keys.length === 0 || flights.has(second)) return
          keys.push(second)
          flights.set(second, flight)
        },
        () => undefined,
      )
      return { value: await work, joined: false }
    },
  }
}
