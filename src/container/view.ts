import { existsSync, mkdirSync } from 'node:fs'
import { join, posix } from 'node:path'
import { conflict, shortId } from '#base'
import {
  attachMounts,
  cloneMount,
  closeDescriptor,
  type Hanging,
  moveMount,
  setMountAttributes,
  unlessHung,
} from '#kernel'
import { withMountPoints } from '#runtime'
import { type AttachedMount, type AttachInput, SAFE } from '#container/files'
import { folderOf, type Parts, type StillView } from './parts.ts'
import { clearPlace, openSource, type Place, placeOf, type PlannedMount } from '#container/mount'
import { type ContainerRecord, isLive } from '#container/record'

/** A container's files as its processes see them, mounted beside it: its root, volumes and binds, but no tmpfs. */
export interface ContainerView extends AsyncDisposable {
  readonly record: ContainerRecord
  /** Where it is mounted; nothing in it can be opened as a device. */
  readonly root: string
}

/**
 * Opens a view. One that runs is not held up by it: its root is shown a second time. One that does not run is mounted for
 * views alone, and cannot be started or removed until the last is closed, for no two overlays may write to one folder.
 */
export async function openView(parts: Parts, name: string): Promise<ContainerView> {
  const { id } = parts.records.resolve(name).record
  const still = parts.views.get(id)
  if (still) return share(parts, id, still)
  const opened = Promise.withResolvers<ContainerView>()
  const over = Promise.withResolvers<void>()
  const held = parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const live = isLive(record.state)
    const words = `cannot open the files of container ${name}`
    const place = await unlessHung(
      words,
      undefined,
      (hanging) => mountView(parts, record, { live, hanging }),
      clearPlace,
    )
    const { root } = place
    if (live) return opened.resolve({ record, root, [Symbol.asyncDispose]: () => clearPlace(place) })
    const close = async (): Promise<void> => {
      over.resolve()
      await held
    }
    const made = { record, root, users: 0, close }
    parts.views.set(id, made)
    opened.resolve(share(parts, id, made))
    await over.promise
    await clearPlace(place)
  })
  held.catch((error: unknown) => opened.reject(error))
  return await opened.promise
}

function share(parts: Parts, id: string, still: StillView): ContainerView {
  still.users += 1
  return {
    record: still.record,
    root: still.root,
    async [Symbol.asyncDispose]() {
      still.users -= 1
      if (still.users > 0) return
      parts.views.delete(id)
      await still.close()
    },
  }
}

interface Viewing {
  readonly live: boolean
  readonly hanging: Hanging
}

async function mountView(parts: Parts, record: ContainerRecord, { live, hanging }: Viewing): Promise<Place> {
  if (record.state === 'removing' || record.state === 'dead')
    throw conflict('container is marked for removal and cannot be copied from or to')
  const folder = join(parts.config.execRoot, 'r', `cp-${shortId()}`)
  const place = { folder, root: join(folder, 'root') }
  mkdirSync(place.root, { recursive: true, mode: 0o700 })
  try {
    if (live) attachAgain(placeOf(parts.config.execRoot, record.id).root, place.root)
    else await attachRoot(parts, record.id, place.root)
    await attachExtras(parts, record, place.root, hanging)
    return place
  } catch (error) {
    await clearPlace(place)
    throw error
  }
}

function attachAgain(source: string, target: string): void {
  const fd = cloneMount(source)
  try {
    setMountAttributes(fd, [...SAFE, 'private'])
    moveMount(fd, target)
  } finally {
    closeDescriptor(fd)
  }
}

async function attachRoot(parts: Parts, id: string, target: string): Promise<void> {
  const { mounts } = await parts.snapshots.reopen(id)
  const safe = withMountPoints(mounts, parts.mountPoints).map((mount) => ({
    ...mount,
    options: [...SAFE, ...mount.options],
  }))
  attachMounts(safe, target)
}

interface Extra {
  readonly destination: string
  readonly readonly: boolean
  /** A detached mount, owned by the caller. */
  readonly open: () => Promise<number>
}

/** Parents before what lies in them. What a file system that hangs has to be asked for is asked by a worker. */
async function attachExtras(parts: Parts, record: ContainerRecord, root: string, hanging: Hanging): Promise<void> {
  const extras = [...nameFiles(parts, record), ...volumesAndBinds(parts, record, posix.dirname(root))]
  if (extras.length === 0) return
  const depth = ({ destination }: Extra): number => destination.split('/').length
  const mounts: AttachedMount[] = []
  try {
    for (const { open, ...extra } of extras.toSorted((one, other) => depth(one) - depth(other)))
      mounts.push({ ...extra, fd: await open() })
    const options = { lane: 'short', about: aboutOf(record), ...hanging } as const
    await parts.pool.run<AttachInput, void>('container.attach', { root, mounts }, options)
  } finally {
    for (const { fd } of mounts) closeDescriptor(fd)
  }
}

/** What jobs on a container's files are about. */
export function aboutOf({ id }: ContainerRecord): string {
  return `container ${id}`
}

function volumesAndBinds(parts: Parts, { mounts }: ContainerRecord, folder: string): readonly Extra[] {
  return (mounts as readonly PlannedMount[]).flatMap((mount) => {
    const { destination, readonly } = mount
    const open = (): Promise<number> => openForView(parts, mount, folder)
    return mount.kind === 'tmpfs' ? [] : [{ destination, readonly, open }]
  })
}

/** The copy outlives what was mounted for it. */
async function openForView(parts: Parts, mount: PlannedMount, folder: string): Promise<number> {
  const user = `view ${folder}`
  try {
    return await openSource(mount, { ...parts, folder, user })
  } finally {
    await parts.volumes.unmount(user)
  }
}

/** They are made by the first start. */
function nameFiles(parts: Parts, { id, mounts }: ContainerRecord): readonly Extra[] {
  const taken = new Set(mounts.map((mount) => mount.destination))
  return ['hosts', 'hostname', 'resolv.conf'].flatMap((name) => {
    const source = join(folderOf(parts, id), name)
    const destination = `/etc/${name}`
    if (taken.has(destination) || !existsSync(source)) return []
    return [{ destination, readonly: false, open: async () => cloneMount(source) }]
  })
}
