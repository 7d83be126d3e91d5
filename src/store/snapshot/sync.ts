import { type Log, messageOf } from '#base'
import { syncFileSystem } from '#kernel'
import type { SnapshotRecords } from './records.ts'
import type { SnapshotId } from './types.ts'

/** Makes frozen trees durable behind the work that made them. */
export interface Syncer {
  /** Soon, together with what is frozen until then. */
  request(): void
  /** Now, if there is something to sync. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Steps of one build follow each other: their trees are synced together, and not while the next step is starting. */
const DELAY = 2000

export function createSyncer(options: {
  readonly folder: string
  readonly records: SnapshotRecords
  readonly log: Log
}): Syncer {
  const { folder, records, log } = options
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const unsynced = (): SnapshotId[] =>
    records
      .list()
      .flatMap((record) => (record.kind === 'frozen' && record.unsyncedBoot !== undefined ? [record.id] : []))
  const run = async (): Promise<void> => {
    const ids = unsynced()
    if (ids.length === 0) return
    await syncFileSystem(folder)
    records.markSynced(ids)
  }
  const sync = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const next = running.then(run)
    running = next.catch((error: unknown) => log.warn(`cannot sync snapshots: ${messageOf(error)}`))
    return next
  }
  return {
    sync,
    request() {
      timer ??= setTimeout(() => void sync().catch(() => undefined), DELAY).unref()
    },
    close: () => sync().catch(() => undefined),
  }
}
