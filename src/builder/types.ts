import type { BodyOnConnection, Bytes } from '#base'
import type { ExitStatus, Mount } from '#kernel'
import type { ImageId, Platform, Reference } from '#oci'
import type { TransferOptions, TransferProgress } from '#transfer'

export type ContextSource =
  /** Read in place, over the local socket only. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A tar, plain or compressed (gzip, bzip2, xz, zstd). */
  | {
      readonly kind: 'tar'
      readonly bytes: Bytes
      /** The same, where it can be read by a worker where it comes. */
      readonly connection?: BodyOnConnection | undefined
    }

export interface BuildRequest {
  readonly context: ContextSource
  /** Path inside the context, or the text itself (`-f -`, or a file outside the context). */
  readonly dockerfile: { readonly path: string } | { readonly text: string }
  readonly tags: readonly Reference[]
  readonly target?: string
  /** Undefined: taken from the predefined names or left without a value. */
  readonly buildArgs: Readonly<Record<string, string | undefined>>
  readonly labels: Readonly<Record<string, string>>
  readonly noCache: boolean
  readonly pull: boolean
  readonly network: 'default' | 'none' | 'host'
  readonly platform?: Platform
  readonly credentialsFor?: (domain: string) => TransferOptions['credentials']
}

/** What a build says while it goes on. `step` numbers follow the Dockerfile's order, from 1; the API makes the classic stream of it. */
export type BuildEvent =
  | { readonly kind: 'plan'; readonly steps: readonly { readonly number: number; readonly text: string }[] }
  | { readonly kind: 'start'; readonly step: number }
  | { readonly kind: 'cached'; readonly step: number }
  | { readonly kind: 'run'; readonly step: number; readonly id: string }
  | { readonly kind: 'output'; readonly step: number; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly kind: 'pull'; readonly step: number; readonly progress: TransferProgress }
  | { readonly kind: 'done'; readonly step: number; readonly image: ImageId }
  | { readonly kind: 'warning'; readonly step?: number; readonly text: string }

export interface BuildOptions {
  readonly onEvent: (event: BuildEvent) => void
  /** The image is there, and has its names: what the build has used is cleared away only then. */
  readonly onOutcome?: (outcome: BuildOutcome) => void
  readonly signal?: AbortSignal
}

export interface BuildOutcome {
  readonly image: ImageId
  readonly tags: readonly Reference[]
}

export interface Builder {
  /** Once, before the first build: takes away what a killed daemon left (mounts, unpacked contexts). */
  restore(): Promise<void>
  /** Errors: `DockerfileError` with ranges, `CommandError` with exit code and last lines, others as they are. */
  build(request: BuildRequest, options: BuildOptions): Promise<BuildOutcome>
  /** Removes cache records and what only they held, the least recently used first. */
  prune(options: CachePrune): Promise<{ readonly removed: readonly string[]; readonly bytes: number }>
  cacheUsage(): Promise<readonly CacheUsage[]>
  /** Removes the cache records of these roots, which are lost; how many there were. */
  forget(chains: ReadonlySet<string>): number
}

export interface CachePrune {
  /** Those too whose layer an image has. */
  readonly all: boolean
  /** Only those unused since; nanoseconds since the epoch. */
  readonly until?: bigint
  /** Only these. */
  readonly chosen?: (record: CacheUsage) => boolean
  /** Bytes that may stay: once the cache takes no more than these, nothing else goes. */
  readonly keepBytes?: number
}

export interface CacheUsage {
  readonly id: string
  readonly description: string
  readonly size: number
  readonly createdAt: bigint
  readonly lastUsedAt: bigint
  readonly usageCount: number
  readonly inUse: boolean
  readonly shared: boolean
}

/** A file of the web on its way to an ADD. */
export interface FetchedFile extends AsyncDisposable {
  /** Bytes, where the server says it. */
  readonly length?: number
  /** Milliseconds since the epoch. */
  readonly lastModified?: number
  /** What the server calls it. */
  readonly name?: string
  readonly body: Bytes
}

/** How a RUN is carried out; the engine fulfils it with `runtime` and `network`. */
export interface CommandSpec {
  /** Recorded before it starts, so that a successor can kill what is left. */
  readonly id: string
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly cwd: string
  /** As in the image config; looked up in the root's passwd and group. */
  readonly user: string
  readonly network: 'default' | 'none' | 'host'
  /** More to attach while it runs (a heredoc's script below /dev), read-only; never part of the root. */
  readonly mounts?: readonly Mount[]
}

export type OutputSink = (chunk: { readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }) => void

export interface Runner {
  /** Mounts the root (from `root`), runs, unmounts; what the runtime makes for its own mounts never stays in the upper. */
  run(command: CommandSpec, root: readonly Mount[], output: OutputSink, signal?: AbortSignal): Promise<ExitStatus>
}
