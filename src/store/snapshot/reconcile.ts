import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '#base'
import type { DamageRecords } from './damage.ts'
import { type SnapshotRecord, type SnapshotRecords, parseSnapshotId } from './records.ts'
import type { Trash } from './trash.ts'
import type { SnapshotId } from './types.ts'

/**
 * Compares folders and records after a start. Folders without a record go. Where the folder is missing, or the tree was not
 * synced before a reboot, a sealed snapshot is marked as damaged, to be made again under the same id: what stands on it is
 * somebody's data. Others go, together with all that stands on them. Either is said.
 */
export async function reconcile(options: {
  readonly folder: string
  readonly records: SnapshotRecords
  readonly damages: DamageRecords
  readonly trash: Trash
  readonly log: Log
  readonly bootId: string
  readonly keepStrays: string | undefined
}): Promise<void> {
  const { folder, records, trash, log } = options
  await trash.empty()
  await dropLost(options)
  const known = new Set<string>(records.list().map((record) => record.id))
  for (const name of await readdir(folder)) {
    const id = parseSnapshotId(name)
    if (id === undefined || known.has(id)) continue
    if (options.keepStrays === undefined) {
      log.debug(`snapshot ${id} has no record: its folder goes`)
      trash.later(trash.remove(id))
    } else {
      log.warn(`snapshot ${id} has no record: its folder is kept in ${options.keepStrays}`)
      await mkdir(options.keepStrays, { recursive: true, mode: 0o700 })
      await rename(join(folder, name), join(options.keepStrays, name))
    }
  }
}

async function dropLost({
  folder,
  records,
  damages,
  trash,
  log,
  bootId,
}: Parameters<typeof reconcile>[0]): Promise<void> {
  const lost: SnapshotId[] = []
  for (const record of records.list()) {
    const why = await whyLost(record, folder, bootId)
    if (why === undefined) continue
    if (record.chain !== undefined) {
      damages.mark(record.id, why)
      log.warn(`layer ${record.chain} cannot be used: ${why}`)
      continue
    }
    lost.push(record.id)
    log.warn(`snapshot ${record.id} ${record.chain ?? record.key ?? ''} is dropped: ${why}`)
  }
  for (const { id } of records.above(lost)) {
    if (!lost.includes(id)) log.warn(`snapshot ${id} is dropped: it stands on one that is lost`)
    records.remove(id)
    trash.later(trash.remove(id))
  }
}

async function whyLost(record: SnapshotRecord, folder: string, bootId: string): Promise<string | undefined> {
  if (record.unsyncedBoot !== undefined && record.unsyncedBoot !== bootId) {
    return 'it was not yet safe on the disk when the machine went down'
  }
  if (record.kind === 'view') return undefined
  const found = await stat(join(folder, record.id, 'fs'), { throwIfNoEntry: false })
  return found ? undefined : 'its folder is missing'
}
