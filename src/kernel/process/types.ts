export interface ExitStatus {
  /** 0–255, or 128 + signal. */
  readonly code: number
  readonly signal?: string
}

/** What `spawnProcess` starts: never through a shell, with exactly this environment. */
export interface ProcessRequest {
  /** Absolute path, or a name looked up on the daemon's own PATH. */
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Child descriptor n gets stdio[n]: a descriptor number of ours, a pipe to us, or nothing (/dev/null). Three at least. */
  readonly stdio: readonly (number | 'pipe' | 'ignore')[]
  /** A session of its own (setsid), as conmon needs. */
  readonly session?: boolean
}

/** A child of ours, started by posix_spawn: the event loop is not stopped. */
export interface SpawnedProcess {
  readonly pid: number
  /** Our end of each `pipe`, as raw descriptors owned by the caller (`stdio[0]` is the one to write to). */
  readonly pipes: ReadonlyMap<number, number>
  readonly exited: Promise<ExitStatus>
}
