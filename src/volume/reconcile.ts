import type { Log } from '#base'
import { ifExists } from '#base'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { VolumeFolders } from './folders.ts'
import type { VolumeRecords } from './records.ts'
import type { VolumeMounter, VolumeTrees } from './types.ts'

interface Parts {
  readonly folders: VolumeFolders
  readonly records: VolumeRecords
  readonly trees: VolumeTrees
  readonly mounter: Pick<VolumeMounter, 'unmount' | 'isMounted'>
  readonly log: Log
}

/**
 * Compares folders and records after a start: carries on removals, takes away half-made seeds and empty folders that
 * nothing names. A folder with data and no record stays, with a warning: a volume's data goes only when asked.
 */
export async function reconcile(parts: Parts): Promise<void> {
  const { folders, records, trees } = parts
  await mkdir(folders.root, { recursive: true, mode: 0o701 })
  await mkdir(folders.trash, { recursive: true, mode: 0o700 })
  await finishRemovals(parts)
  for (const volume of records.list()) {
    await trees.remove(folders.seeding(volume.name))
    await restoreData(parts, volume.name)
  }
  for (const name of await readdir(folders.root)) {
    if (!name.startsWith('_') && !records.find(name)) await removeEmpty(parts, name)
  }
}

/** What the options of a removed volume mounted goes first: its bytes are not the volume's to be removed. */
async function finishRemovals({ folders, records, trees, mounter }: Parts): Promise<void> {
  const clear = async (folder: string): Promise<void> => {
    const data = join(folder, basename(folders.data('')))
    while (mounter.isMounted(data)) await mounter.unmount(data)
  }
  for (const removal of records.removals()) {
    const target = join(folders.trash, removal.folder)
    const moved = (await readdir(folders.trash)).includes(removal.folder)
    if (moved || records.find(removal.volume)) continue
    await clear(folders.volume(removal.volume))
    await ifExists(rename(folders.volume(removal.volume), target))
  }
  for (const name of await readdir(folders.trash)) {
    await clear(join(folders.trash, name))
    await trees.remove(join(folders.trash, name))
  }
  for (const removal of records.removals()) records.endRemoval(removal.folder)
}

async function restoreData({ folders, log }: Parts, name: string): Promise<void> {
  const made = await mkdir(folders.data(name), { recursive: true, mode: 0o755 })
  if (made !== undefined) log.warn(`volume ${name} has lost its folder: it is empty now`)
}

async function removeEmpty({ folders, trees, log }: Parts, name: string): Promise<void> {
  const held = (await ifExists(readdir(folders.data(name)))) ?? []
  if (held.length === 0) await trees.remove(folders.volume(name))
  else log.warn(`folder ${folders.volume(name)} has data but no record: creating volume ${name} takes it up`)
}
