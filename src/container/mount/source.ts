import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { corrupt, EngineError } from '#base'
import {
  attachMount,
  cloneMount,
  closeDescriptor,
  descriptorPath,
  type HostMounts,
  isErrno,
  openInRoot,
  openRoot,
  unmount,
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
      return mount.subpath === undefined ? cloneMount(path) : cloneBelow(path, mount.subpath)
    }
    case 'image':
      return await openImage(mount, sources)
    case 'tmpfs':
      throw corrupt(`cannot open the source of a tmpfs at ${mount.destination}: it has none`)
  }
}

const O_PATH = 0o10000000

/** Links on the way lead inside `root` only. */
function cloneBelow(root: string, subpath: string): number {
  const rootFd = openRoot(root)
  try {
    const fd = openInRoot(rootFd, subpath, O_PATH, { follow: true })
    try {
      return cloneMount(descriptorPath(fd))
    } finally {
      closeDescriptor(fd)
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
    const path = join(root, subpath)
    const why = error.errno === 'ENOENT' ? 'no such file or directory' : 'not a directory'
    throw new EngineError('internal', `cannot access path ${path}: lstat ${path}: ${why}`, { cause: error })
  } finally {
    closeDescriptor(rootFd)
  }
}

async function openImage(mount: PlannedMount, { images, snapshots, folder }: MountSources): Promise<number> {
  const lowers = await lowersOf(mount, images, snapshots)
  const [view] = viewMounts(lowers)
  if (view === undefined) throw corrupt(`cannot mount the image ${mount.name ?? ''}: it has no layers`)
  const place = join(folder, 'image')
  mkdirSync(place, { mode: 0o700 })
  try {
    attachMount(view, place)
    return mount.subpath === undefined ? cloneMount(place) : cloneBelow(place, mount.subpath)
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
