import type { Clock, KeyedLock } from '#base'
import { conflict, createKeyedLock, ifExists, invalid, isKind, longId, shortId, syncFolder } from '#base'
import type { EventBus } from '#event'
import { unlessHung } from '#kernel'
import type { Database } from '#store/db'
import { chmod, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type VolumeFolders, volumeFolders } from './folders.ts'
import { checkName, noSuchVolume } from './name.ts'
import { checkOptions, mountOf, type VolumeMount } from './options.ts'
import { reconcile } from './reconcile.ts'
import { type VolumeRecords, volumeRecords } from './records.ts'
import { seedVolume } from './seed.ts'
import type { VolumeMounter, VolumeRecord, VolumeRequest, Volumes, VolumesOptions, VolumeTrees } from './types.ts'

/** Opens the volumes and puts right what a crash left. */
export async function openVolumes(options: VolumesOptions): Promise<Volumes> {
  const folders = volumeFolders(options.folder)
  const records = volumeRecords(options.database, (name) => folders.data(name))
  await reconcile({ folders, records, trees: options.trees, mounter: options.mounter, log: options.log })
  return new LocalVolumes(options, folders, records)
}

/** How Docker marks a volume that was given no name. */
const ANONYMOUS_LABEL = 'com.docker.volume.anonymous'

/** Containers with other users pass through; nobody lists what is beside their volume. */
const FOLDER_MODE = 0o701
const DATA_MODE = 0o755

class LocalVolumes implements Volumes {
  readonly #folders: VolumeFolders
  readonly #records: VolumeRecords
  readonly #database: Database
  readonly #trees: VolumeTrees
  readonly #events: Pick<EventBus, 'emit'>
  readonly #clock: Clock
  /** By name: one at a time makes, seeds or removes a volume. */
  readonly #locks: KeyedLock = createKeyedLock()
  readonly #mounter: VolumeMounter
  /** For whom a volume's options are mounted, by its name. */
  readonly #mounted = new Map<string, Set<string>>()

  constructor(options: VolumesOptions, folders: VolumeFolders, records: VolumeRecords) {
    this.#folders = folders
    this.#records = records
    this.#database = options.database
    this.#trees = options.trees
    this.#mounter = options.mounter
    this.#events = options.events
    this.#clock = options.clock
  }

  async create(request: VolumeRequest): Promise<VolumeRecord> {
    const name = request.name ?? longId()
    checkName(name)
    checkDriver(name, request.driver ?? '')
    checkOptions(name, request.options ?? {})
    return this.#locks.run(name, async () => this.#records.find(name) ?? this.#add(name, request))
  }

  async get(name: string): Promise<VolumeRecord> {
    return this.#get(name)
  }

  async find(name: string): Promise<VolumeRecord | undefined> {
    return this.#records.find(name)
  }

  async list(): Promise<readonly VolumeRecord[]> {
    return this.#records.list()
  }

  async remove(name: string, force = false): Promise<void> {
    if (force && !this.#records.find(name)) return
    await this.#remove(name)
  }

  use(name: string, container: string): void {
    this.#records.use(this.#get(name).name, container)
  }

  release(container: string): void {
    this.#records.release(container)
  }

  async mount(name: string, user: string): Promise<string> {
    const { mountpoint, options } = this.#get(name)
    const wanted = mountOf(options)
    if (wanted === undefined) return mountpoint
    return await this.#locks.run(name, async () => {
      this.#get(name)
      const users = this.#mounted.get(name) ?? new Set()
      // A former run of the daemon may have mounted it.
      if (users.size === 0 && !this.#mounter.isMounted(mountpoint)) await this.#mounter.mount(wanted, mountpoint)
      this.#mounted.set(name, users.add(user))
      return mountpoint
    })
  }

  async unmount(user: string): Promise<void> {
    for (const [name, users] of this.#mounted) {
      if (users.has(user)) await this.#locks.run(name, () => this.#letGo(name, user))
    }
  }

  condemn(container: string, volumes: readonly string[]): readonly string[] {
    this.#records.release(container)
    return volumes.flatMap((name) => {
      if (!this.#records.find(name) || this.users(name).length > 0) return []
      const folder = shortId()
      this.#records.remove(name)
      this.#records.addRemoval({ folder, volume: name })
      return [folder]
    })
  }

  async carryOut(removals: readonly string[]): Promise<void> {
    if (removals.length === 0) return
    await this.#database.flush()
    const known = this.#records.removals().filter(({ folder }) => removals.includes(folder))
    for (const { folder, volume } of known) {
      await this.#locks.run(volume, () => this.#putAway(volume, folder))
      await this.#trees.remove(join(this.#folders.trash, folder))
      this.#records.endRemoval(folder)
    }
  }

  users(name: string): readonly string[] {
    return this.#records.users(name)
  }

  async forgetUsers(isContainer: (id: string) => boolean): Promise<void> {
    for (const { volume, container } of this.#records.uses()) {
      if (isContainer(container)) continue
      this.#records.release(container)
      const isLeft = this.#records.find(volume)?.anonymous === true && this.users(volume).length === 0
      if (isLeft) await unlessTaken(this.#remove(volume))
    }
    for (const { name, options, mountpoint } of this.#records.list()) {
      const isIdle = mountOf(options) !== undefined && !this.#mounted.has(name)
      if (isIdle) await this.#mounter.unmount(mountpoint)
    }
  }

  async seed(name: string, root: string, path: string, user?: string): Promise<void> {
    await this.#locks.run(name, async () => {
      this.#get(name)
      const isShared = (): boolean => this.#records.users(name).some((other) => other !== user)
      const wanted = mountOf(this.#get(name).options)
      const seed = { volume: name, root, path, isShared }
      if (wanted === undefined) return await seedVolume(this.#folders, this.#trees, seed)
      return await unlessHung(`cannot look into volume ${name}`, undefined, (hanging) => {
        const mounted = { open: () => this.#hold(name, wanted), options: { about: `volume ${name}`, ...hanging } }
        return seedVolume(this.#folders, this.#trees, { ...seed, mounted })
      })
    })
  }

  /** The volume mounted for a moment; the caller holds its lock. */
  async #hold(name: string, wanted: VolumeMount): Promise<AsyncDisposable> {
    const target = this.#folders.data(name)
    const isOurs = !this.#mounted.has(name) && !this.#mounter.isMounted(target)
    if (isOurs) await this.#mounter.mount(wanted, target)
    return { [Symbol.asyncDispose]: async () => (isOurs ? await this.#mounter.unmount(target) : undefined) }
  }

  async #letGo(name: string, user: string): Promise<void> {
    const users = this.#mounted.get(name)
    if (!users?.delete(user) || users.size > 0) return
    this.#mounted.delete(name)
    await this.#mounter.unmount(this.#folders.data(name))
  }

  async prune(filter: {
    readonly all: boolean
    readonly keep: (volume: VolumeRecord) => boolean
  }): Promise<{ readonly removed: readonly string[]; readonly bytes: number }> {
    const removed: string[] = []
    let bytes = 0
    for (const volume of this.#records.list()) {
      if (this.users(volume.name).length > 0 || !(filter.all || volume.anonymous) || filter.keep(volume)) continue
      const went = await unlessTaken(this.#remove(volume.name))
      if (went === undefined) continue
      removed.push(volume.name)
      bytes += went
    }
    this.#emit('prune', '', { reclaimed: String(bytes) })
    return { removed, bytes }
  }

  async usage(name: string): Promise<number> {
    return this.#trees.usage(this.#get(name).mountpoint)
  }

  #get(name: string): VolumeRecord {
    const found = this.#records.find(name)
    if (!found) throw noSuchVolume(name)
    return found
  }

  /** The folder before the record: a crash between them leaves an empty folder, which the next start removes. */
  async #add(name: string, request: VolumeRequest): Promise<VolumeRecord> {
    const anonymous = request.name === undefined
    const labels = { ...request.labels, ...(anonymous && { [ANONYMOUS_LABEL]: '' }) }
    await mkdir(this.#folders.volume(name), { recursive: true, mode: FOLDER_MODE })
    const made = await mkdir(this.#folders.data(name), { recursive: true })
    if (made !== undefined) await chmod(this.#folders.data(name), DATA_MODE)
    await syncFolder(this.#folders.volume(name))
    await syncFolder(this.#folders.root)
    const createdAt = this.#clock.nanoseconds()
    this.#database.transaction(() => {
      this.#records.add({ name, createdAt, labels, options: request.options ?? {}, anonymous })
      if (request.user !== undefined) this.#records.use(name, request.user)
    })
    this.#emit('create', name, { driver: 'local' })
    return this.#get(name)
  }

  /** Bytes that went. */
  async #remove(name: string): Promise<number> {
    const trash = await this.#locks.run(name, () => this.#takeAway(name))
    const bytes = await this.#trees.remove(join(this.#folders.trash, trash))
    this.#records.endRemoval(trash)
    return bytes
  }

  /** The record first, then the folder out of the way of a new volume of that name. Answers its name in the trash. */
  async #takeAway(name: string): Promise<string> {
    const trash = shortId()
    this.#database.transaction(() => {
      const volume = this.#get(name)
      const users = this.#records.users(name)
      if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`)
      this.#records.remove(volume.name)
      this.#records.addRemoval({ folder: trash, volume: name })
    })
    await this.#database.flush()
    await this.#putAway(name, trash)
    return trash
  }

  /** What its options mounted must be gone before its bytes go. */
  async #putAway(name: string, trash: string): Promise<void> {
    await this.#mounter.unmount(this.#folders.data(name))
    await ifExists(rename(this.#folders.volume(name), join(this.#folders.trash, trash)))
    this.#emit('destroy', name, { driver: 'local' })
  }

  #emit(action: string, id: string, attributes: Readonly<Record<string, string>>): void {
    this.#events.emit({ type: 'volume', action, actor: { id, attributes } })
  }
}

function checkDriver(name: string, driver: string): void {
  if (driver === '' || driver === 'local') return
  throw invalid(`create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`)
}

/** Undefined where somebody began to use the volume, or removed it, meanwhile. */
async function unlessTaken(removal: Promise<number>): Promise<number | undefined> {
  try {
    return await removal
  } catch (error) {
    if (isKind(error, 'conflict') || isKind(error, 'not-found')) return undefined
    throw error
  }
}
