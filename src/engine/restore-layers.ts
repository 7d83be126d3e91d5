import { messageOf } from '#base'
import type { ImageRecord } from '#store/image'
import type { Ground } from './ground.ts'

/**
 * After a power cut the store has dropped trees that were not yet safe on the disk: those of images that were pulled are
 * unpacked again from their blobs; of others it is said that they are lost. Costs one look-up an image where nothing is missing.
 */
export async function restoreLayers(ground: Ground): Promise<void> {
  for (const record of await ground.images.list()) {
    if (record.chain !== undefined && !(await ground.snapshots.find(record.chain))) await restoreImage(ground, record)
  }
}

async function restoreImage({ images, layers, leases, log }: Ground, record: ImageRecord): Promise<void> {
  await using lease = await leases.open(`restore ${record.id}`)
  lease.hold({ kind: 'image', id: record.id })
  try {
    const { config } = await images.open(record.id)
    const restored = await layers.restore(config.rootfs.diff_ids, lease)
    if (restored) log.info(`the layers of image ${record.id} were unpacked again`)
    else log.warn(`image ${record.id} cannot be used: its layers were lost with the power; pull or build it again`)
  } catch (error) {
    log.warn(`the layers of image ${record.id} cannot be unpacked again: ${messageOf(error)}`)
  }
}
