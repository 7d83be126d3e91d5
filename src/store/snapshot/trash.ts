import { mkdir, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Log, errnoOf, messageOf } from '#base'
import type { Database } from '#store/db'
import { loosened } from './swap.ts'
import type { SnapshotId, SnapshotJobRunner } from './types.ts'

/** Removes the folders of snapshots whose records are gone; what a crash leaves here is removed after the next start. */
export interface Trash {
  /** Makes the record's removal durable, then discards. */
  remove(id: SnapshotId): Promise<number>
  /** Once the record's removal is durable: out of sight by a rename, then removed in a worker. Gives bytes of blocks. */
  discard(id: SnapshotId): Promise<number>
  /** Removes a tree in the trash unless a mount still shows it: then after a later start. */
  release(path: string): Promise<void>
  /** The same for all that an earlier run left in the trash. */
  empty(): Promise<void>
  /** `remove` in the background; a failure is logged. */
  later(work: Promise<unknown>): void
  settle(): Promise<void>
}

export function createTrash(options: {
  readonly folder: string
  readonly database: Database
  readonly jobs: SnapshotJobRunner
  readonly log: Log
}): Trash {
  const { folder, database, jobs, log } = options
  const trash = join(folder, 'trash')
  const pending = new Set<Promise<unknown>>()
  const later = (work: Promise<unknown>): void => {
    const task = work
      .catch((error: unknown) => log.warn(`cannot remove bytes of a snapshot: ${messageOf(error)}`))
      .finally(() => pending.delete(task))
    pending.add(task)
  }
  const discard = async (id: SnapshotId): Promise<number> => {
    const target = join(trash, id)
    try {
      await rename(join(folder, id), target)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 0
      throw error
    }
    return jobs.run<string, number>('tree.remove', target)
  }
  return {
    later,
    async remove(id) {
      await database.flush()
      return discard(id)
    },
    discard,
    async release(path) {
      if ((await loosened(folder)).includes(basename(path))) await jobs.run<string, number>('tree.remove', path)
    },
    async empty() {
      await mkdir(trash, { recursive: true, mode: 0o700 })
      for (const name of await loosened(folder)) later(jobs.run<string, number>('tree.remove', join(trash, name)))
    },
    async settle() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}
