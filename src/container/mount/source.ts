import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { corrupt } from '#base'
import {
  attachMount,
  cloneMount,
  closeDescriptor,
  type Hanging,
  type HostMounts,
  unlessHung,
  unmount,
  type WorkerPool,
} from '#kernel'
import type { ImageId } from '#oci'
import type { Images } from '#store/image'
import { type Snapshots, viewMounts } from '#store/snapshot'
import type { Volumes } from '#volume'
import type { PlannedMount } from './mount-plan.ts'

/** Where what is mounted into containers is found. */
export interface MountSources {
  readonly volumes: Pick<Volumes, 'mount'>
  readonly hostMounts: HostMounts
  readonly pool: Pick<WorkerPool, 'run'>
  readonly images: Pick<Images, 'open'>
  readonly snapshots: Pick<Snapshots, 'find' | 'lowers' | 'assertWhole'>
  /** A folder that exists, for mounts that need a place for a moment. */
  readonly folder: string
  /** For whom a volume is mounted. */
  readonly user: string
}

/** A detached copy of what a mount shows, owned by the caller. Errors in Docker's words. */
export async function openSource(mount: PlannedMount, sources: MountSources): Promise<number> {
  switch (mount.kind) {
    case 'bind':
      // A clone of a file system that hangs would be had, and hold up the thread that looks at it.
      await sources.hostMounts.inspect(mount.source)
      return await sources.hostMounts.clone(mount.source, { recursive: mount.nonRecursive !== true })
    case 'volume': {
      const path = await sources.volumes.mount(mount.name ?? '', sources.user)
      if (mount.subpath === undefined) return cloneMount(path)
      return await cloneBelow(sources, { root: path, subpath: mount.subpath, name: `volume ${mount.name ?? ''}` })
    }
    case 'image':
      return await openImage(mount, sources)
    case 'tmpfs':
      throw corrupt(`cannot open the source of a tmpfs at ${mount.destination}: it has none`)
  }
}

/** A detached copy of a folder or file below a folder; what is there is found by a worker, for it may hang. */
async function cloneBelow(
  { pool }: MountSources,
  { name, ...input }: { readonly root: string; readonly subpath: string; readonly name: string },
): Promise<number> {
  const clone = (hanging: Hanging): Promise<number> =>
    pool.run('container.clone', input, { lane: 'short', about: name, ...hanging })
  return await unlessHung(`cannot look at ${input.subpath} in the ${name}`, undefined, clone, closeDescriptor)
}

async function openImage(mount: PlannedMount, sources: MountSources): Promise<number> {
  const { images, snapshots, folder } = sources
  const lowers = await lowersOf(mount, images, snapshots)
  const [view] = viewMounts(lowers)
  if (view === undefined) throw corrupt(`cannot mount the image ${mount.name ?? ''}: it has no layers`)
  const place = join(folder, 'image')
  mkdirSync(place, { mode: 0o700 })
  try {
    attachMount(view, place)
    if (mount.subpath === undefined) return cloneMount(place)
    return await cloneBelow(sources, { root: place, subpath: mount.subpath, name: `image ${mount.name ?? ''}` })
  } finally {
    await unmount(place, { detach: true, ifMounted: true })
    rmdirSync(place)
  }
}

async function lowersOf(
  { name = '', image }: PlannedMount,
  images: MountSources['images'],
  snapshots: MountSources['snapshots'],
): Promise<readonly string[]> {
  const { chain } = await images.open(image as ImageId)
  if (chain === undefined) return []
  const sealed = await snapshots.find(chain)
  if (sealed) return await snapshots.lowers(sealed.id)
  snapshots.assertWhole(chain)
  throw corrupt(`cannot mount the image ${name}: its unpacked layers ${chain} are missing, pull or build it again`)
}
