import { closeDescriptor, descriptorPath, isErrno, type JobOptions, openInRoot, openRoot, setTimes } from '#kernel'
import { constants, statSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { VolumeFolders } from './folders.ts'
import type { VolumeTrees } from './types.ts'

interface SeedRequest {
  readonly volume: string
  /** The container's root, mounted, and a path as its processes would see it. */
  readonly root: string
  readonly path: string
  /** True where other containers use the volume and may have it mounted; asked when the copy is there. */
  readonly isShared: () => boolean
  /** Mounts what the volume's options name, for the copy. */
  readonly mounted?: Mounted | undefined
}

interface Mounted {
  readonly open: () => Promise<AsyncDisposable>
  /** The file system need not answer. */
  readonly options: JobOptions
}

/**
 * Gives an empty volume the image's files: all of them or none, for the copy is made beside it and takes its place.
 * Links in `path` lead inside the root only. Nothing is synced, for the container is waiting: a power cut soon after may
 * cost what was seeded, as it may cost what the container itself wrote.
 */
export async function seedVolume(folders: VolumeFolders, trees: VolumeTrees, request: SeedRequest): Promise<void> {
  const data = folders.data(request.volume)
  const source = openSource(request.root, request.path)
  if (source === undefined) return
  // The point makes the folder itself of what would be looked at as a link.
  const from = `${descriptorPath(source)}/.`
  try {
    if (request.mounted) await seedMount(trees, { ...request.mounted, from, to: data })
    else if ((await readdir(data)).length === 0) await seedFolder(folders, trees, { ...request, from })
  } finally {
    closeDescriptor(source)
  }
}

/** What is mounted is no folder of ours to be replaced. */
async function seedMount(
  trees: VolumeTrees,
  { open, options, from, to }: Mounted & { readonly from: string; readonly to: string },
): Promise<void> {
  await using _mount = await open()
  if (await trees.isEmpty(to, options)) await trees.copy(from, to, options)
}

async function seedFolder(
  folders: VolumeFolders,
  trees: VolumeTrees,
  { volume, from, isShared }: SeedRequest & { readonly from: string },
): Promise<void> {
  const seeding = folders.seeding(volume)
  const data = folders.data(volume)
  try {
    await trees.remove(seeding)
    await mkdir(seeding)
    await trees.copy(from, seeding)
    const { atimeNs, mtimeNs } = statSync(from, { bigint: true })
    setTimes(seeding, atimeNs, mtimeNs)
    await (isShared() ? moveEntries(seeding, data) : rename(seeding, data))
  } finally {
    await trees.remove(seeding)
  }
}

/** Undefined where the image has no folder there. */
function openSource(root: string, path: string): number | undefined {
  const rootDescriptor = openRoot(root)
  try {
    return openInRoot(rootDescriptor, path, constants.O_RDONLY | constants.O_DIRECTORY, { follow: true })
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  } finally {
    closeDescriptor(rootDescriptor)
  }
}

/** Another container has the folder itself mounted: it must stay, and gets what is in the copy. */
async function moveEntries(from: string, to: string): Promise<void> {
  const { uid, gid, mode } = await stat(from)
  for (const name of await readdir(from, { encoding: 'buffer' })) {
    await rename(below(from, name), below(to, name))
  }
  await chown(to, uid, gid)
  await chmod(to, mode & 0o7777)
}

/** Names may be other than UTF-8. */
function below(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(join(folder, '/')), name])
}
