import { unavailable } from '#base'
import type { Hang, Hanging } from './types.ts'

/**
 * Does `work`. Once a job of it hangs, the caller is told with these words and the reason; the work is stopped, but goes on by
 * itself until its job comes back, and holds what that was given: nobody else gets its descriptors or folders meanwhile.
 * What it still brings then is discarded.
 */
export async function unlessHung<T>(
  words: string,
  signal: AbortSignal | undefined,
  work: (hanging: Hanging) => Promise<T>,
  discard: (late: T) => unknown = () => undefined,
): Promise<T> {
  const stop = new AbortController()
  const hung = Promise.withResolvers<never>()
  const working = work({
    signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    onHang(hang) {
      const error = unavailable(`${words}: ${reasonOf(hang)}; mend or unmount that`)
      hung.reject(error)
      stop.abort(error)
    },
  })
  hung.promise.catch(() => working.then(discard).catch(() => undefined))
  return await Promise.race([hung.promise, working])
}

function reasonOf({ milliseconds, before }: Hang): string {
  const time = `${(milliseconds / 1000).toFixed(1)} s`
  if (before === undefined) return `its file system has not answered for ${time}`
  return `${before} earlier calls wait for a file system there that has not answered for ${time}`
}
