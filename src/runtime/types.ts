import type { ExitStatus, Mount } from '#kernel'
import type { ProcessUser } from '#runtime/root'

export type { ProcessUser } from '#runtime/root'

export type Signal = number

export interface ProcessSpec {
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly cwd: string
  readonly user: ProcessUser
  readonly terminal: boolean
  /** Names with CAP_; the effective, permitted and bounding set (empty effective where uid is not 0). */
  readonly capabilities: readonly string[]
  readonly noNewPrivileges?: boolean
  /** Rows and columns of a terminal at the start. */
  readonly size?: { readonly rows: number; readonly columns: number }
}

export interface DeviceRule {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly access: string
}

/** A plain request; the OCI runtime spec is made of it. */
export interface RunRequest {
  readonly id: string
  /** The mounted root, as seen in the daemon's mount namespace. */
  readonly rootfs: string
  readonly process: ProcessSpec
  readonly hostname: string
  readonly domainname?: string
  /** Beyond the standard ones (/proc, /dev, /sys, /dev/shm …). */
  readonly mounts: readonly Mount[]
  /** A path to a network namespace file, or the host's. */
  readonly network: { readonly kind: 'path'; readonly path: string } | { readonly kind: 'host' }
  readonly privileged: boolean
  readonly readonlyRoot: boolean
  readonly seccomp: 'default' | 'unconfined'
  /** From `Runtime.cgroupOf`. */
  readonly cgroupPath: string
  readonly shmSize?: number
  /** Beyond the usual ones, and beyond all of the host's where it is privileged. */
  readonly devices?: readonly DeviceRule[]
  /** Docker's --init: a tiny init is bound in and becomes pid 1. */
  readonly init?: boolean
}

/** Where a container's output is kept, and what becomes of its stdin. */
export interface LogTarget {
  /** k8s-file lines: `RFC3339nano stream F|P text`; undefined where nothing is written down. */
  readonly logPath: string | undefined
  readonly openStdin: boolean
  /** stdin ends with the first attached client. */
  readonly stdinOnce: boolean
}

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly bytes: Uint8Array
  /** To be called, once, when `bytes` is read no more: then other output is read into it. Who keeps it does not call. */
  readonly release?: () => void
}

/** The live end of a process's streams. */
export interface StreamEnds extends AsyncDisposable {
  readonly output: AsyncIterable<OutputChunk>
  write(chunk: Uint8Array): Promise<void>
  /** EOF on its stdin, output still flows. */
  closeInput(): Promise<void>
  resize(rows: number, columns: number): Promise<void>
}

export interface ExecOptions {
  readonly stdin: boolean
  /** Its streams go nowhere. */
  readonly detach: boolean
  /** The container's root as it is mounted here, to look at what the runtime complains about. */
  readonly rootfs: string
}

export interface ExecProcess {
  readonly pid: number
  /** Absent for a detached exec. */
  readonly streams?: StreamEnds
  readonly exited: Promise<ExitStatus>
  resize(rows: number, columns: number): Promise<void>
}

/** How a container's process ended, and when (nanoseconds since the epoch). */
export interface ProcessExit extends ExitStatus {
  readonly at: bigint
}

/** The program that starts containers here. */
export interface RuntimeProgram {
  readonly name: 'crun' | 'runc'
  readonly file: string
  readonly version: string
  /** Why this one: «starts with the cgroup v2 tree hidden from it». */
  readonly reason: string
}

export type RuntimeState = 'created' | 'running' | 'paused' | 'stopped' | 'absent'

export interface Runtime {
  /** Which program runs containers here and why («crun 1.8.1: starts with the cgroup v2 tree hidden»). */
  readonly program: RuntimeProgram
  /** The control group for a container or step of that id, below each controller. */
  cgroupOf(id: string): string
  /** A container, exec or step will be started soon: what the kernel has to wait for then begins now. Costs next to nothing. */
  forewarn(): void
  /** conmon holds the streams from here on; its log is `logPath` (k8s-file lines). */
  create(request: RunRequest, stdio: LogTarget): Promise<{ readonly pid: number }>
  start(id: string): Promise<void>
  attach(id: string): Promise<StreamEnds>
  resize(id: string, rows: number, columns: number): Promise<void>
  /**
   * Has the log of a container go on in a new file at its path; what is there by then is replaced, so the caller moves it
   * away before. No line is lost, none goes over the end of a file. False where nobody could be told.
   */
  reopenLog(id: string): boolean
  signal(id: string, signal: Signal, all?: boolean): Promise<void>
  pause(id: string): Promise<void>
  resume(id: string): Promise<void>
  exec(id: string, process: ProcessSpec, options: ExecOptions): Promise<ExecProcess>
  state(id: string): Promise<{ readonly state: RuntimeState; readonly pid: number }>
  /** Resolves with the exit; also after a restart of the daemon (conmon's exit file). */
  wait(id: string): Promise<ProcessExit>
  /** Host pids of all its processes. */
  processes(id: string): Promise<readonly number[]>
  delete(id: string): Promise<void>
  /** A build step: no monitor, its output handed on; killed and deleted when the signal is aborted. */
  runStep(request: RunRequest, output: (chunk: OutputChunk) => void, signal?: AbortSignal): Promise<ExitStatus>
  /** Kills and deletes what a killed daemon left of build steps. */
  removeLeftoverSteps(): Promise<void>
}
