import { cancelled } from './error.ts'

/** Runs one task at a time per key, in order of arrival; tasks of different keys overlap. */
export interface KeyedLock {
  run<T>(key: string, task: () => Promise<T>): Promise<T>
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>()
  return {
    async run(key, task) {
      const before = tails.get(key) ?? Promise.resolve()
      const mine = before.then(task, task)
      const tail = mine.catch(() => undefined)
      tails.set(key, tail)
      try {
        return await mine
      } finally {
        if (tails.get(key) === tail) tails.delete(key)
      }
    },
  }
}

/** Callers of the same key while a task is under way share its outcome. */
export interface SingleFlight<T> {
  run(key: string, task: () => Promise<T>): Promise<T>
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>()
  return {
    run(key, task) {
      const flying = flights.get(key)
      if (flying) return flying
      const flight = task().finally(() => flights.delete(key))
      flights.set(key, flight)
      return flight
    },
  }
}

/** At most `limit` tasks at once; the others wait in order of arrival. */
export interface Limiter {
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createLimiter(limit: number): Limiter {
  let running = 0
  const waiting: Array<() => void> = []
  const leave = (): void => {
    running -= 1
    waiting.shift()?.()
  }
  const enter = async (): Promise<void> => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    running += 1
  }
  return {
    async run(task, signal) {
      await enter()
      try {
        if (signal?.aborted) throw cancelled('waiting task', signal.reason)
        return await task()
      } finally {
        leave()
      }
    },
  }
}

/** A promise with its two ends in hand. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

export function defer<T>(): Deferred<T> {
  return Promise.withResolvers<T>()
}

/** Resolves after `milliseconds`, or rejects with kind `cancelled` when the signal is aborted first. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(cancelled('sleep', signal?.reason))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, milliseconds)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}
