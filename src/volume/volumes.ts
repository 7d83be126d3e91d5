import type { Clock, KeyedLock } from '#base'
import { conflict, createKeyedLock, ifExists, isKind, longId, shortId, syncFolder } from '#base'
import type { EventBus } from '#event'
import type { Database } from '#store/db'
import { chmod, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type VolumeFolders, volumeFolders } from './folders.ts'
import { checkName, checkOptions, noSuchVolume } from './name.ts'
import { reconcile } from './reconcile.ts'
import { type VolumeRecords, volumeRecords } from './records.ts'
import { seedVolume } from './seed.ts'
import type { VolumeRecord, VolumeRequest, Volumes, VolumesOptions, VolumeTrees } from './types.ts'

/** Opens the volumes and puts right what a crash left. */
export async function openVolumes(options: VolumesOptions): Promise<Volumes> {
  const folders = volumeFolders(options.folder)
  const records = volumeRecords(options.database, (name) => folders.data(name))
  await reconcile({ folders, records, trees: options.trees, log: options.log })
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

  constructor(options: VolumesOptions, folders: VolumeFolders, records: VolumeRecords) {
    this.#folders = folders
    this.#records = records
    this.#database = options.database
    this.#trees = options.trees
    this.#events = options.events
    this.#clock = options.clock
  }

  async create(request: VolumeRequest): Promise<VolumeRecord> {
    const name = request.name ?? longId()
    checkName(name)
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
  }

  async seed(name: string, root: string, path: string, user?: string): Promise<void> {
    await this.#locks.run(name, async () => {
      this.#get(name)
      const isShared = (): boolean => this.#records.users(name).some((other) => other !== user)
      await seedVolume(this.#folders, this.#trees, { volume: name, root, path, isShared })
    })
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
    await ifExists(rename(this.#folders.volume(name), join(this.#folders.trash, trash)))
    this.#emit('destroy', name, { driver: 'local' })
    return trash
  }

  #emit(action: string, id: string, attributes: Readonly<Record<string, string>>): void {
    this.#events.emit({ type: 'volume', action, actor: { id, attributes } })
  }
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
