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

export function createFlights(): Flights {
  const flights = new Map<string, Promise<unknown>>()
  return {
    async run<T>({ key, alias, task }: Flight<T>, signal: AbortSignal) {
      for (let flying = flights.get(key); flying !== undefined; flying = flights.get(key)) {
        try {
          return { value: (await flying) as T, joined: true }
        } catch (error) {
          // the other one was cancelled, not this one: its turn now
          if (!isKind(error, 'cancelled') || signal.aborted) throw error
        }
      }
      const keys = [key]
      const flight = task().finally(() => {
        for (const each of keys) if (flights.get(each) === flight) flights.delete(each)
        keys.length = 0
      })
      flights.set(key, flight)
      alias?.().then(
        (second) => {
          if (keys.length === 0 || flights.has(second)) return
          keys.push(second)
          flights.set(second, flight)
        },
        () => undefined,
      )
      return { value: await flight, joined: false }
    },
  }
}
