import { mkdirSync, readdirSync, readFileSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '#base'
import type { ProcessExit } from './types.ts'

/** Where inotify is silent (its limits are the host's), the folder is looked at this often. Milliseconds. */
const LOOK_EVERY = 1000

/** The exit files that monitors leave in a folder, one named by each container's id. */
export interface Exits extends Disposable {
  find(id: string): ProcessExit | undefined
  /** Resolves once the file is there; at once where it is. Rejects with the reason of an aborted signal. */
  wait(id: string, signal?: AbortSignal): Promise<ProcessExit>
}

export function openExits(folder: string): Exits {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const waiting = new Map<string, Set<() => void>>()
  const look = (id: string): void => {
    for (const wake of waiting.get(id) ?? []) wake()
  }
  const watcher = watch(folder, { persistent: false }, (_, name) => {
    if (name !== null) look(name)
  })
  // Polling goes on where the watch ends.
  watcher.on('error', () => watcher.close())
  const timer = setInterval(() => {
    // one look at the folder, not one for each container
    if (waiting.size > 0) for (const name of namesIn(folder)) look(name)
  }, LOOK_EVERY)
  timer.unref()
  const find = (id: string): ProcessExit | undefined => readExit(join(folder, id))
  return {
    find,
    wait(id, signal) {
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          waiting.get(id)?.delete(wake)
          if (waiting.get(id)?.size === 0) waiting.delete(id)
          signal?.removeEventListener('abort', abort)
        }
        const abort = (): void => {
          leave()
          reject(signal?.reason)
        }
        const wake = (): void => {
          const exit = find(id)
          if (!exit) return
          leave()
          resolve(exit)
        }
        waiting.set(id, (waiting.get(id) ?? new Set()).add(wake))
        if (signal?.aborted) abort()
        else signal?.addEventListener('abort', abort, { once: true })
        wake()
      })
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      watcher.close()
    },
  }
}

/** None where the folder is gone. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

/** The whole number that a monitor wrote (it renames the file into place), and when. */
function readExit(path: string): ProcessExit | undefined {
  try {
    const code = Number(readFileSync(path, 'utf8').trim())
    return { code: Number.isInteger(code) ? code : 255, at: statSync(path, { bigint: true }).mtimeNs }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
