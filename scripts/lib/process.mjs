// Processes that an earlier run left: is it still the one, and ending it.
import { readFileSync } from 'node:fs'
import { until } from './run.mjs'

/** True where process `pid` lives and its command line holds `word` (a pid alone may have been given out anew). */
export function alive(pid, word) {
  if (!Number.isInteger(pid) || pid <= 1) return false
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]
    return state !== 'Z' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(word)
  } catch {
    return false
  }
}

/** True where the process lives, whatever it is just now executing. */
export function exists(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z'
  } catch {
    return false
  }
}

/** SIGTERM, and SIGKILL after `seconds`. */
export async function end(pid, word, seconds = 15) {
  if (!alive(pid, word)) return
  process.kill(pid, 'SIGTERM')
  if (await until(seconds, () => !alive(pid, word))) return
  if (alive(pid, word)) process.kill(pid, 'SIGKILL')
  await until(5, () => !alive(pid, word))
}
