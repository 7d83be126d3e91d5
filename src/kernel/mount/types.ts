/** A mount as plain data: storage emits them, runtime and builder attach them. */
export interface Mount {
  /** `overlay`, `bind`, `tmpfs`, `proc` … */
  readonly type: string
  readonly source: string
  /** Where below the root; absent for the root itself. */
  readonly target?: string
  readonly options: readonly string[]
  /** What messages call the source, where it lies somewhere else for now. */
  readonly named?: string
}

/** One line of the mount table (proc(5), mountinfo). */
export interface MountEntry {
  readonly id: number
  readonly parent: number
  /** «major:minor». */
  readonly device: string
  /** Which folder of the file system is shown. */
  readonly root: string
  readonly target: string
  readonly options: readonly string[]
  /** «shared:1», «master:2»; none for a private mount. */
  readonly propagation: readonly string[]
  readonly type: string
  readonly source: string
  readonly superOptions: readonly string[]
}
