import { isKind, messageOf } from '#base'
import type { ProcessExit } from '#runtime'
import { isLive, nextState } from '#container/record'
import { emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'
import { releaseRun } from './release.ts'
import { removeLocked } from './remove.ts'

/** Waits, in the background, for the end of a container's process, and records it. */
export function watchExit(parts: Parts, id: string): void {
  waitAndFinish(parts, id).catch((error: unknown) => {
    parts.log.error('cannot finish a container that exited', { id, error: messageOf(error) })
  })
}

async function waitAndFinish(parts: Parts, id: string): Promise<void> {
  let exit: ProcessExit
  try {
    exit = await parts.runtime.wait(id)
  } catch (error) {
    // Taken away meanwhile, by a removal or the end of the daemon.
    if (isKind(error, 'not-found') || isKind(error, 'cancelled')) return
    throw error
  }
  await parts.locks.run(id, () => finishExit(parts, id, exit))
}

/** Records an exit and takes away what the run had; the caller holds the lock. */
export async function finishExit(parts: Parts, id: string, exit: ProcessExit): Promise<void> {
  const stored = parts.records.find(id)
  if (!stored || !(isLive(stored.record.state) || stored.starting)) return
  const before = stored.record
  const state = isLive(before.state) ? nextState(before.state, 'exited') : 'exited'
  const facts = {
    state,
    exitCode: exit.code,
    finishedAt: exit.at,
    pid: 0,
    endpoints: [],
    ports: [],
    sandboxPath: undefined,
  } as const
  const record = parts.records.update(id, facts, false)
  parts.lives.exited(id)
  try {
    await releaseRun(parts, id)
  } finally {
    const seconds = (exit.at - before.startedAt) / 1_000_000_000n
    emitEvent(parts, 'die', record, { exitCode: String(exit.code), execDuration: String(seconds) })
  }
  if (record.request.autoRemove) await removeLocked(parts, id, { volumes: true })
}
