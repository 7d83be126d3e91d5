import { constants } from 'node:os'
import { sleep } from '#base'
import { killProcess, Stillness } from '#kernel'

/** Milliseconds. */
const LOOK_EVERY = 150
/** One that slept so long beside an order hangs. Milliseconds. */
const HANGS = 900
/** Who stops it again and again means it: then another one is started. */
const WAKES = 2

/**
 * Watches a process that owes an answer, until the signal. One that was stopped (SIGSTOP) is told to go on, for what it carries
 * for others has stopped too; one that stays stopped, or hangs, is killed. A slow one is waited for.
 */
export async function unlessStill(pid: number, signal: AbortSignal): Promise<void> {
  const stillness = new Stillness(`/proc/${pid}`)
  try {
    for (let wakes = 0; ;) {
      await sleep(LOOK_EVERY, signal)
      if (stillness.look(performance.now()) >= HANGS || wakes > WAKES) killProcess(pid, constants.signals.SIGKILL)
      else if (stillness.isStopped) wakes += killProcess(pid, constants.signals.SIGCONT) ? 1 : 0
    }
  } catch {
    // it has answered
  }
}
