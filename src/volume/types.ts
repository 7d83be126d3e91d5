import type { Clock, Log } from '#base'
import type { EventBus } from '#event'
import type { JobOptions } from '#kernel'
import type { Database } from '#store/db'
import type { VolumeMount } from './options.ts'

export interface VolumeRecord {
  readonly name: string
  readonly driver: 'local'
  readonly createdAt: bigint
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly anonymous: boolean
  /** `volumes/<name>/_data` below the data root. */
  readonly mountpoint: string
}

export interface VolumeRequest {
  readonly name?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly options?: Readonly<Record<string, string>>
  /** `local` where absent: there is no other. */
  readonly driver?: string
  /** The container it is made for: one of its users from the beginning, though that is not there yet. */
  readonly user?: string
}

export interface Volumes {
  /** Idempotent for the same name. Names follow Docker's rule; an absent name makes an anonymous volume of 64 hex digits. */
  create(options: VolumeRequest): Promise<VolumeRecord>
  get(name: string): Promise<VolumeRecord>
  find(name: string): Promise<VolumeRecord | undefined>
  list(): Promise<readonly VolumeRecord[]>
  /** `conflict` while a container uses it, forced or not; forced, one that is not there is no error. */
  remove(name: string, force?: boolean): Promise<void>
  /** Synchronous, and may stand in a transaction with the container's record. Throws `not-found`. */
  use(name: string, container: string): void
  release(container: string): void
  /**
   * The path that shows the volume; where its options name something to be mounted it is mounted for the first who asks, and
   * stays so until the last (`user`) lets it go. Errors in Docker's words.
   */
  mount(name: string, user: string): Promise<string>
  /** Lets go of all that is mounted for `user`. Fine where nothing is. */
  unmount(user: string): Promise<void>
  /**
   * In the transaction that removes a container's record: it uses nothing any more, and those of `volumes` that nobody else
   * uses have no record any more either. What it answers is to be given to `carryOut`; after a crash the next start does that.
   */
  condemn(container: string, volumes: readonly string[]): readonly string[]
  /** Removes the bytes of condemned volumes. */
  carryOut(removals: readonly string[]): Promise<void>
  /**
   * After a start: users that are no container are forgotten, and with them volumes without a name that were made for a
   * container which never came to be; what is mounted for nobody is unmounted.
   */
  forgetUsers(isContainer: (id: string) => boolean): Promise<void>
  users(name: string): readonly string[]
  /**
   * Copies what the image has at that path into an empty volume (owner, mode, times, xattrs), confined on both sides.
   * Nothing happens where the volume holds something, or the image has no folder there. What users
   * other than `user` (the container that is being made) have mounted keeps being the volume.
   */
  seed(name: string, root: string, path: string, user?: string): Promise<void>
  prune(filter: {
    readonly all: boolean
    readonly keep: (volume: VolumeRecord) => boolean
  }): Promise<{ readonly removed: readonly string[]; readonly bytes: number }>
  /** Bytes of blocks. */
  usage(name: string): Promise<number>
}

/** Bulk work on trees, in a worker: the jobs `tree.copy`, `tree.remove` and `tree.usage` of store/snapshot do it. */
export interface VolumeTrees {
  /** All that is in a folder to another, which exists, with the folder's own owner, mode and xattrs. */
  copy(from: string, to: string, options?: JobOptions): Promise<void>
  isEmpty(folder: string, options: JobOptions): Promise<boolean>
  /** Bytes that went; fine where nothing is there. */
  remove(path: string): Promise<number>
  /** Bytes of blocks. */
  usage(path: string): Promise<number>
}

/** Mounts what a volume's options name; `createVolumeMounter` makes one. */
export interface VolumeMounter {
  mount(wanted: VolumeMount, target: string): Promise<void>
  /** Fine where nothing is mounted. */
  unmount(target: string): Promise<void>
  isMounted(target: string): boolean
}

export interface VolumesOptions {
  /** `volumes/` below the data root. */
  readonly folder: string
  readonly database: Database
  readonly trees: VolumeTrees
  readonly mounter: VolumeMounter
  readonly events: Pick<EventBus, 'emit'>
  readonly clock: Clock
  readonly log: Log
}
