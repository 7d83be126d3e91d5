import type { Clock, Limiter, Log } from '#base'
import type { Filters } from '#archive'
import type { EventBus } from '#event'
import type { JobOptions, WorkerPool } from '#kernel'
import type { Dockerfile, Source } from '#dockerfile'
import type { Platform } from '#oci'
import type { ContentReader } from '#store/content'
import type { Database } from '#store/db'
import type { Images } from '#store/image'
import type { Layers } from '#store/layer'
import type { Lease, Leases } from '#store/lease'
import type { Snapshots } from '#store/snapshot'
import type { Transfer } from '#transfer'
import type { ArgumentSources, Plan, StageState, Step } from '#builder/plan'
import type { CopyOutput } from '#builder/files'
import type { BuildRoot } from './build-root.ts'
import type { BuildContext } from './context.ts'
import type { Flights } from './flights.ts'
import type { CacheRecords } from './records.ts'
import type { BuildEvent, BuildRequest, FetchedFile, Runner } from './types.ts'

/** What a builder is made of. */
export interface BuilderParts {
  readonly database: Database
  readonly content: ContentReader
  readonly snapshots: Snapshots
  readonly layers: Layers
  readonly images: Images
  readonly transfer: Transfer
  readonly leases: Leases
  readonly events: EventBus
  readonly clock: Clock
  readonly pool: WorkerPool
  readonly runner: Runner
  /** The builder keeps what it needs in `builder/` below it. */
  readonly dataRoot: string
  readonly log: Log
  /** Programs for compressed forms that node does not know. */
  readonly filters?: Filters
  /** Where folders of the host are looked up, if not here: gives a descriptor of a clone of what is mounted there. */
  readonly hostMounts?: { clone(path: string, options?: { readonly recursive?: boolean }): Promise<number> }
  /** Gets a file of the web; absent where there is no way to it. */
  readonly fetch?: (address: string, signal?: AbortSignal) => Promise<FetchedFile>
  /** Bytes of layers that the cache keeps at most. */
  readonly cacheLimit?: number
}

/** The outcome of a step: files, and everything else. */
export interface StepResult {
  readonly root: BuildRoot
  readonly state: StageState
}

/** Hashes of what COPY and ADD read of received contexts, for one that comes again. */
export type ContextHashes = Map<string, CopyOutput>

/** One build under way. */
export interface Session {
  readonly parts: BuilderParts
  readonly records: CacheRecords
  readonly flights: Flights
  readonly hashes: ContextHashes
  readonly limiter: Limiter
  readonly folder: string
  readonly request: BuildRequest
  readonly file: Dockerfile
  readonly plan: Plan
  readonly context: BuildContext
  readonly argumentSources: ArgumentSources
  readonly globals: ReadonlyMap<string, string>
  readonly platform: Platform
  readonly lease: Lease
  readonly signal: AbortSignal
  /** For jobs that may read a context in place, whose file system may hang. */
  readonly reading: JobOptions
  /** Layers that are still being hashed. */
  readonly pending: Promise<unknown>[]
  emit(event: BuildEvent): void
  /** A cache record counts as in use until the build ends; then its use is noted. */
  use(key: string): void
  /** The outcome of a stage; each is solved once. */
  stage(index: number): Promise<StepResult>
  /** Other builds go on at the same time. */
  crowded(): boolean
}

/** Where a step is carried out. */
export interface StepSite {
  readonly session: Session
  readonly stage: number
  readonly step: Step
  /** The text that ranges point into: the Dockerfile, or an ONBUILD trigger. */
  readonly source: Source
  readonly escape: '\\' | '`'
}
