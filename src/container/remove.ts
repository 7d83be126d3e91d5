import { rm } from 'node:fs/promises'
import { conflict, messageOf } from '#base'
import type { MountPoint } from '#container/mount'
import { type ContainerRecord, isLive, nextState } from '#container/record'
import { emitEvent, folderOf } from './parts.ts'
import type { Parts } from './parts.ts'
import { releaseRun } from './release.ts'
import { killAndWait } from './stop.ts'

/** Removes a container; a running one only by force, which kills it first. */
export async function removeContainer(
  parts: Parts,
  name: string,
  options: { readonly force: boolean; readonly volumes: boolean },
): Promise<void> {
  const { record } = parts.records.resolve(name)
  const { id } = record
  // A start that is under way is waited for.
  const state = await parts.locks.run(id, async () => parts.records.find(id)?.record.state ?? 'removing')
  if (isLive(state)) {
    if (!options.force) throw conflict(`cannot remove container "${record.name}": ${reason(state)}`)
    await killAndWait(parts, id)
  }
  await parts.locks.run(id, async () => {
    const now = parts.records.find(id)?.record
    if (!now) return
    if (isLive(now.state)) throw conflict(`cannot remove container "${now.name}": ${reason(now.state)}`)
    await removeLocked(parts, id, options)
  })
}

function reason(state: ContainerRecord['state']): string {
  return state === 'paused'
    ? 'container is paused and must be unpaused first'
    : 'container is running: stop the container before removing or force remove'
}

/** Removes a container that does not run; the caller holds the lock. What is half done is done at the next start. */
export async function removeLocked(parts: Parts, id: string, options: { readonly volumes: boolean }): Promise<void> {
  const before = parts.records.find(id)?.record
  if (!before) return
  const state = before.state === 'removing' ? before.state : nextState(before.state, 'removal-begun')
  const withVolumes = options.volumes || before.removesVolumes === true
  const record = parts.records.update(id, { state, removesVolumes: withVolumes }, false)
  try {
    await releaseRun(parts, id)
    await parts.snapshots.remove(id)
    await rm(folderOf(parts, id), { recursive: true, force: true })
  } catch (error) {
    parts.records.update(id, { state: nextState('removing', 'removal-failed'), error: messageOf(error) })
    throw error
  }
  let condemned: readonly string[] = []
  parts.records.remove(id, () => {
    condemned = parts.volumes.condemn(id, withVolumes ? anonymousOf(record.mounts) : [])
  })
  await parts.volumes.carryOut(condemned)
  emitEvent(parts, 'destroy', record)
  parts.lives.removed(id, record.exitCode)
}

/** A container that never came to be uses nothing, and the volumes without a name that were made for it go. */
export async function removeAnonymous(
  { database, volumes }: Pick<Parts, 'database' | 'volumes'>,
  id: string,
  mounts: readonly MountPoint[],
): Promise<void> {
  let condemned: readonly string[] = []
  database.transaction(() => {
    condemned = volumes.condemn(id, anonymousOf(mounts))
  })
  await volumes.carryOut(condemned)
}

function anonymousOf(mounts: readonly MountPoint[]): readonly string[] {
  return mounts.flatMap(({ anonymous, name }) => (anonymous && name !== undefined ? [name] : []))
}
