/** A mount as plain data: storage emits them, runtime and builder attach them. */
export interface Mount {
  /** `overlay`, `bind`, `tmpfs`, `proc` … */
  readonly type: string
  readonly source: string
  /** Where below the root; absent for the root itself. */
  readonly target?: string
  readonly options: readonly string[]
}

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

/** A job that a worker thread runs: plain synchronous code of another room, found by name. */
export interface JobContext {
  /** True once the caller's signal is aborted; a job looks at each entry and throws kind `cancelled`. */
  cancelled(): boolean
  /** Small reports to the caller while the job runs (structured-clone values). */
  report(value: unknown): void
}

export type Job<Input, Output> = (input: Input, context: JobContext) => Output

/** Room name, dot, verb («layer.apply») to job. The worker's entry file puts the tables of all rooms together. */
// oxlint-disable-next-line typescript/no-explicit-any -- a table of jobs of different shapes; `WorkerPool.run` types each
export type JobTable = Readonly<Record<string, Job<any, unknown>>>

/** What a job waits for: `bulk` for disks, `short` for next to nothing, `stream` for a client that reads or sends. Default `bulk`. */
export type Lane = 'bulk' | 'short' | 'stream'

export interface JobOptions {
  readonly signal?: AbortSignal
  /** `short` jobs (stat, small hash) have a thread kept for them. */
  readonly lane?: Lane
  readonly onReport?: (value: unknown) => void
}

export interface WorkerPool extends AsyncDisposable {
  run<Input, Output>(job: string, input: Input, options?: JobOptions): Promise<Output>
}

/** What a path of the host leads to, links followed. */
export interface HostEntry {
  readonly kind: 'folder' | 'file' | 'other'
  /** Permission bits. */
  readonly mode: number
}

/** Files and mounts as the host sees them. Paths are absolute; links are followed there. */
export interface HostMounts extends AsyncDisposable {
  /**
   * A detached copy of the host's mount at `path` as a descriptor, owned by the caller: to be attached by `moveMount`, or to
   * be read in place by `descriptorPath(fd)`. `recursive`: with what is mounted below it.
   */
  clone(path: string, options?: { readonly recursive?: boolean }): Promise<number>
  /** Undefined where there is nothing. */
  inspect(path: string): Promise<HostEntry | undefined>
  /** With its parents. */
  makeFolder(path: string, mode?: number): Promise<void>
  /** Lazily; fine where nothing is mounted. */
  unmount(path: string): Promise<void>
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

/** A netlink socket in the network namespace in which it was opened. */
export interface NetlinkSocket extends Disposable {
  /**
   * Sends one message (nlmsghdr and payload; sequence and acknowledge flag are filled in) and gives all replies, each with
   * its header. An error of the kernel is a SystemCallError with the kernel's own words.
   */
  request(message: Uint8Array): readonly Buffer[]
  /** The same off the main thread: deleting a link waits for the kernel for milliseconds. */
  requestAsync(message: Uint8Array): Promise<readonly Buffer[]>
  /** One transaction of nf_tables (protocol 12): all messages are carried out, or none and the error of one is thrown. */
  transact(messages: readonly Uint8Array[]): void
}
