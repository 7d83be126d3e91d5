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
  /**
   * For a job on files that are not all ours, and whose file system may not answer: what it is about («container 4f…»). Jobs
   * without it never wait for one that hangs. Where two about one thing hang, no more are begun: they fail as `unavailable`.
   */
  readonly about?: string
  /**
   * Called once where the job has hung in one call of the kernel for so long that a caller should be told. It goes on, and what
   * it was given must stay until the promise is settled: see `unlessHung`.
   */
  readonly onHang?: (hang: Hang) => void
}

/** A job that hangs in the kernel. */
export interface Hang {
  readonly milliseconds: number
  /** Given where it has not begun: so many before it hang, the longest for so long. */
  readonly before?: number
}

/** What work of jobs that may hang gets, to be passed on to each. */
export interface Hanging {
  readonly signal: AbortSignal
  readonly onHang: (hang: Hang) => void
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
