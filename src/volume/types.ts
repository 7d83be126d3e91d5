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

export interface Volumes {
  /** Idempotent for the same name. Names follow Docker's rule; an absent name makes an anonymous volume of 64 hex digits. */
  create(options: {
    readonly name?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly options?: Readonly<Record<string, string>>
  }): Promise<VolumeRecord>
  get(name: string): Promise<VolumeRecord>
  find(name: string): Promise<VolumeRecord | undefined>
  list(): Promise<readonly VolumeRecord[]>
  /** `conflict` while a container uses it. */
  remove(name: string, force?: boolean): Promise<void>
  use(name: string, container: string): void
  release(container: string): void
  users(name: string): readonly string[]
  /** Copies what the image has at that path into an empty volume (owner, mode, times, xattrs), confined on both sides. */
  seed(name: string, root: string, path: string): Promise<void>
  prune(filter: {
    readonly all: boolean
    readonly keep: (volume: VolumeRecord) => boolean
  }): Promise<{ readonly removed: readonly string[]; readonly bytes: number }>
  usage(name: string): Promise<number>
}
