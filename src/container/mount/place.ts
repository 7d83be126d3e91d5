import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, posix } from 'node:path'
import { invalid } from '#base'
import {
  attachMounts,
  descriptorPath,
  isErrno,
  type Mount,
  moveMount,
  openInRoot,
  openRoot,
  setMountAttributes,
  unmount,
} from '#kernel'
import { withMountPoints } from '#runtime'
import type { PlannedMount } from './mount-plan.ts'

/** Where a container's root and the host's folders are mounted while it runs: `<execRoot>/r/<12 hex>/`. */
export interface Place {
  readonly folder: string
  readonly root: string
}

export function placeOf(execRoot: string, id: string): Place {
  const folder = join(execRoot, 'r', id.slice(0, 12))
  return { folder, root: join(folder, 'root') }
}

/** Mounts the writable root, with the places for the runtime's own mounts below its lowest layer. */
export function mountRoot(place: Place, mounts: readonly Mount[], mountPoints: string): void {
  mkdirSync(place.root, { recursive: true, mode: 0o700 })
  attachMounts(withMountPoints(mounts, mountPoints), place.root)
}

/** Takes everything away that is mounted in a place, off the main thread, and then the place. Idempotent. */
export async function clearPlace(place: Place): Promise<void> {
  if (!existsSync(place.folder)) return
  for (const entry of readdirSync(place.folder, { withFileTypes: true })) {
    const path = join(place.folder, entry.name)
    await unmount(path, { detach: true, ifMounted: true })
    // Not recursive: what is still mounted by mistake is never emptied.
    if (entry.isDirectory()) rmdirSync(path)
    else unlinkSync(path)
  }
  rmdirSync(place.folder)
}

/** Attaches a detached mount in the place, from where the runtime binds it. Gives the mount for the runtime. */
export function stageMount(place: Place, mount: PlannedMount, fd: number): Mount {
  const staging = join(place.folder, `bind-${readdirSync(place.folder).length}`)
  if (fstatSync(fd).isDirectory()) mkdirSync(staging, { mode: 0o700 })
  else writeFileSync(staging, '', { mode: 0o600 })
  // Never shared: taking it away later must not take anything from the host.
  setMountAttributes(fd, ['rslave', ...accessOf(mount)])
  moveMount(fd, staging)
  return { ...bindMount(staging, mount), named: mount.source }
}

/** As Docker: what is mounted below is read-only too. */
function accessOf({ readonly: isReadonly, readonlyTopOnly }: PlannedMount): readonly string[] {
  return isReadonly ? [readonlyTopOnly === true ? 'ro' : 'rro'] : []
}

export function bindMount(source: string, mount: PlannedMount): Mount {
  const options = ['rbind', propagationOf(mount), mount.readonly ? 'ro' : 'rw']
  return { type: 'bind', source, target: mount.destination, options }
}

function propagationOf(mount: PlannedMount): string {
  return mount.kind === 'bind' && mount.options !== '' ? mount.options : 'rprivate'
}

const TMPFS_OPTIONS = ['nosuid', 'nodev', 'noexec']

/** Docker's options of a tmpfs, with those asked for over them. */
export function tmpfsMount(mount: PlannedMount): Mount {
  const asked = mount.options.split(',').filter((option) => option !== '')
  const opposites = new Set(asked.map((option) => (option.startsWith('no') ? option : `no${option}`)))
  const defaults = TMPFS_OPTIONS.filter((option) => !opposites.has(option))
  const access = mount.readonly ? ['ro'] : []
  return { type: 'tmpfs', source: 'tmpfs', target: mount.destination, options: [...defaults, ...access, ...asked] }
}

const O_PATH = 0o10000000

/** What lies there is the runtime's, and not yet mounted: nothing is made below. */
const RUNTIME_FOLDERS: ReadonlySet<string> = new Set(['proc', 'sys', 'dev'])

/** Makes the working folder where the image has none, confined to the root. Throws `invalid` in Docker's words. */
export function makeWorkingDir(root: string, path: string): void {
  if (path === '' || path === '/') return
  if (!path.startsWith('/'))
    throw invalid(`the working directory '${path}' is invalid, it needs to be an absolute path`)
  const names = posix.normalize(path).split('/').filter(Boolean)
  if (RUNTIME_FOLDERS.has(names[0] ?? '')) return
  let folder = openRoot(root)
  const rootFd = folder
  const opened = [folder]
  try {
    let walked = ''
    for (const name of names) {
      walked = `${walked}/${name}`
      folder = openOrMake(rootFd, { parent: folder, name, walked, whole: path })
      opened.push(folder)
    }
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

function openOrMake(
  rootFd: number,
  at: { readonly parent: number; readonly name: string; readonly walked: string; readonly whole: string },
): number {
  const open = (): number => openInRoot(rootFd, at.walked, O_PATH | constants.O_DIRECTORY, { follow: true })
  try {
    return open()
  } catch (error) {
    if (isErrno(error, 'ENOTDIR', 'ELOOP')) throw invalid(`Cannot mkdir: ${at.walked} is not a directory`)
    if (!isErrno(error, 'ENOENT')) throw error
  }
  try {
    mkdirSync(join(descriptorPath(at.parent), at.name), { mode: 0o755 })
    return open()
  } catch (error) {
    // A link that leads nowhere.
    if (error instanceof Error && /EEXIST|ENOENT/.test(error.message))
      throw invalid(`Cannot mkdir: ${at.walked} is not a directory`)
    throw error
  }
}
