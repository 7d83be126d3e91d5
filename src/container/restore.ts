import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, sleep } from '#base'
import { finishExit, watchExit } from './exit.ts'
import type { Parts } from './parts.ts'
import { clearPlace, placeOf } from '#container/mount'
import { isLive, nextState, type StoredContainer } from '#container/record'
import { releaseRun } from './release.ts'
import { removeLocked } from './remove.ts'
import { followRun } from './start.ts'

/** The exit code of a container whose process went with the machine. */
const LOST_EXIT = 255

/**
 * After a start of the daemon: records and the runtime's states are compared. What runs is watched again, what ended
 * meanwhile is finished, a start that was cut off is undone or found to have happened, removals go on.
 */
export async function restoreContainers(parts: Parts): Promise<void> {
  await Promise.all(
    parts.records.all().map(async (stored) => {
      const { id } = stored.record
      try {
        await parts.locks.run(id, () => restoreOne(parts, stored))
      } catch (error) {
        parts.log.error('cannot restore a container', { id, error: messageOf(error) })
      }
    }),
  )
  await parts.volumes.forgetUsers((id) => parts.records.find(id) !== undefined)
  await removeStrays(parts)
}

async function restoreOne(parts: Parts, stored: StoredContainer): Promise<void> {
  const { record } = stored
  if (record.state === 'removing' || record.state === 'dead') {
    if (record.state === 'removing') await removeLocked(parts, record.id, { volumes: record.request.autoRemove })
    return
  }
  if (isLive(record.state) || stored.starting) await compare(parts, stored)
  else if (record.state === 'exited' && record.request.autoRemove)
    await removeLocked(parts, record.id, { volumes: true })
  else if (existsSync(placeOf(parts.config.execRoot, record.id).folder)) await releaseRun(parts, record.id)
}

async function compare(parts: Parts, { record, starting }: StoredContainer): Promise<void> {
  const { id } = record
  const found = await parts.runtime.state(id)
  switch (found.state) {
    case 'running':
    case 'paused':
      return await adopt(parts, id, { ...found, state: found.state })
    case 'stopped':
      if (starting) parts.records.update(id, { state: 'running', startedAt: parts.clock.nanoseconds() }, false)
      return await finishStopped(parts, id)
    case 'created':
    case 'absent':
      if (starting) return await undoCutStart(parts, id)
      return await finishExit(parts, id, { code: LOST_EXIT, at: parts.clock.nanoseconds() })
  }
}

/** In it a monitor has said how its container ended, if it can. Milliseconds. */
const PATIENCE = 1000

/** A monitor that stands still keeps no daemon from starting: what it says later is recorded then. */
async function finishStopped(parts: Parts, id: string): Promise<void> {
  const waiting = new AbortController()
  const late = sleep(PATIENCE, waiting.signal).catch(() => undefined)
  const exit = await Promise.race([parts.runtime.wait(id), late])
  waiting.abort()
  if (exit) return await finishExit(parts, id, exit)
  parts.log.warn('the monitor of a container that ended does not say how', { id })
  watchExit(parts, id)
}

interface Found {
  readonly state: 'running' | 'paused'
  readonly pid: number
}

/** One that stands still though its record says that it runs was stopped for a commit that the end of the daemon cut off. */
async function adopt(parts: Parts, id: string, found: Found): Promise<void> {
  const { record } = parts.records.resolve(id)
  const startedAt = isLive(record.state) ? (record.startedAt ?? 0n) : parts.clock.nanoseconds()
  const resumed = found.state === 'paused' && record.state === 'running'
  if (resumed) await parts.runtime.resume(id)
  parts.records.update(id, { state: resumed ? 'running' : found.state, pid: found.pid, startedAt }, false)
  await mountVolumes(parts, id)
  followRun(parts, id, found.pid)
}

async function mountVolumes(parts: Parts, id: string): Promise<void> {
  for (const { kind, name } of parts.records.find(id)?.record.mounts ?? [])
    if (kind === 'volume') await parts.volumes.mount(name ?? '', id)
}

async function undoCutStart(parts: Parts, id: string): Promise<void> {
  await releaseRun(parts, id)
  const record = parts.records.find(id)?.record
  if (!record) return
  parts.records.update(
    id,
    { state: nextState(record.state, 'start-failed'), error: 'the daemon ended while it was starting' },
    false,
  )
  if (record.request.autoRemove) await removeLocked(parts, id, { volumes: true })
}

/** Folders, mounts and bundles that no record names: of creations that were cut off, and of exports. */
async function removeStrays(parts: Parts): Promise<void> {
  const ids = new Set(parts.records.all().map(({ record }) => record.id))
  const short = new Set([...ids].map((id) => id.slice(0, 12)))
  const { dataRoot, execRoot } = parts.config
  for (const name of namesIn(join(execRoot, 'r')))
    if (!short.has(name))
      await clearPlace({ folder: join(execRoot, 'r', name), root: join(execRoot, 'r', name, 'root') })
  for (const name of namesIn(join(dataRoot, 'containers')))
    if (!ids.has(name)) await rm(join(dataRoot, 'containers', name), { recursive: true, force: true })
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}
