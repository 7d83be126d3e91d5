import { mkdir, readFile, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { ifExists, syncFolder } from '#base'
import type { SnapshotId } from './types.ts'

/** A name in the trash of what a mount may still show. */
const HELD = /^held-([1-9][0-9]*)-/

/**
 * Puts the tree `from` where the snapshot's own tree is or was. What was there goes to the trash; gives its path there. A
 * crash in between leaves the snapshot without a tree and still marked as damaged.
 */
export async function swapTree(folder: string, id: SnapshotId, from: string): Promise<string> {
  const [place, old] = [join(folder, id), join(folder, 'trash', `held-${id}-${process.hrtime.bigint()}`)]
  await mkdir(place, { recursive: true, mode: 0o700 })
  await ifExists(rename(join(place, 'fs'), old))
  await rename(from, join(place, 'fs'))
  await syncFolder(place)
  return old
}

/** Names in the trash that no mount shows any more: containers keep the tree that they were started on. */
export async function loosened(folder: string): Promise<readonly string[]> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8')
  return (await readdir(join(folder, 'trash'))).filter((name) => {
    const id = HELD.exec(name)?.[1]
    return id === undefined || !(mounts.includes(`/${id}/fs`) || mounts.includes(`/trash/${name}`))
  })
}
