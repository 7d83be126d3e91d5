import type { Parts } from './parts.ts'
import { clearPlace, placeOf } from '#container/mount'

/** Takes away what a run had: its process, its place in the network, its mounts. Idempotent. */
export async function releaseRun(parts: Parts, id: string): Promise<void> {
  await parts.runtime.delete(id)
  await Promise.all([parts.networks.detach(id), clearPlace(placeOf(parts.config.execRoot, id))])
  await parts.volumes.unmount(id)
}
