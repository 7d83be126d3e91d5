import { isKind } from '#base'

/** Equal work in flight is done once; the others share its outcome. */
export interface Flights {
  /** `joined` says that another caller's work gave the outcome. */
  run<T>(
    key: string,
    task: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T; readonly joined: boolean }>
}

export function createFlights(): Flights {
  const flights = new Map<string, Promise<unknown>>()
  return {
    async run<T>(key: string, task: () => Promise<T>, signal: AbortSignal) {
      for (let flying = flights.get(key); flying !== undefined; flying = flights.get(key)) {
        try {
          return { value: (await flying) as T, joined: true }
        } catch (error) {
          // the other one was cancelled, not this one: its turn now
          if (!isKind(error, 'cancelled') || signal.aborted) throw error
        }
      }
      const flight = task().finally(() => flights.delete(key))
      flights.set(key, flight)
      return { value: await flight, joined: false }
    },
  }
}
