import { join } from 'node:path'
import { type Clock, type KeyedLock, type Log, messageOf, shortId } from '#base'
import type { EventBus } from '#event'
import type { HostMounts, WorkerPool } from '#kernel'
import type { Networks } from '#network'
import type { RunConfig } from '#oci'
import type { Runtime } from '#runtime'
import type { Database } from '#store/db'
import type { Images } from '#store/image'
import type { Layers } from '#store/layer'
import type { Leases } from '#store/lease'
import type { OpenSnapshots } from '#store/snapshot'
import type { Volumes } from '#volume'
import type { AttachHub, LogConfig, LogFiles } from '#container/stream'
import { createHub, createLogFiles, DEFAULT_LOG, keepLog, logLimits } from '#container/stream'
import type { ContainerRecord, ContainerRecords, CreateRequest } from '#container/record'

/** What the room is made with. */
export interface ContainerOptions {
  readonly config: {
    /** Logs and name files go to `<dataRoot>/containers/<id>/`. */
    readonly dataRoot: string
    /** Roots are mounted at `<execRoot>/r/<12 hex>/`. */
    readonly execRoot: string
    /** PATH of the daemon, for `ps`. */
    readonly path: string
    /** For containers that ask for nothing. */
    readonly containerLog?: LogConfig
  }
  readonly database: Database
  readonly leases: Leases
  readonly snapshots: OpenSnapshots
  readonly layers: Layers
  readonly images: Images
  readonly runtime: Runtime
  readonly networks: Networks
  readonly volumes: Volumes
  readonly hostMounts: HostMounts
  readonly pool: WorkerPool
  readonly events: EventBus
  readonly clock: Clock
  readonly log: Log
  /** The folder of runtime's `makeMountPoints`. */
  readonly mountPoints: string
  /** What the daemon has. */
  readonly capabilities: ReadonlySet<string>
  /** Dockerfile lines of `commit -c` on a config: the builder's. */
  readonly applyChanges: (config: RunConfig, lines: readonly string[]) => RunConfig
}

/** What is only true while this daemon runs. */
export interface Life {
  readonly hub: AttachHub
  /** Undefined where its output is not written down. */
  readonly log: KeptLog | undefined
  /** Resolves at the next exit of its process; a new promise after each. */
  readonly exited: PromiseWithResolvers<void>
  /** Resolves with the last exit code when the container is gone. */
  readonly removed: PromiseWithResolvers<number>
}

export interface KeptLog {
  readonly files: LogFiles
  /** Keeps it within its limits from now on, until `rest` or the daemon's end. */
  keep(): void
  rest(): void
}

export interface Parts extends ContainerOptions {
  readonly records: ContainerRecords
  /** One change of one container at a time; never held while waiting for its process. */
  readonly locks: KeyedLock
  readonly lives: Lives
  /** Of containers that do not run and are copied from or to, by id. */
  readonly views: Map<string, StillView>
}

/** Shared by all who copy at the same time. */
export interface StillView {
  readonly record: ContainerRecord
  readonly root: string
  users: number
  /** Lets go of it; resolves once it is gone. */
  readonly close: () => Promise<void>
}

export interface Lives {
  of(id: string): Life
  /** Resolves those who wait for the exit. */
  exited(id: string): void
  /** Resolves all who wait. */
  removed(id: string, exitCode: number): void
  /** The daemon ends: logs are left to the next. */
  close(): void
}

/** A terminal outlives who sat at it: leaving one that may be used once closes nothing. */
export function closesInput({ stdinOnce, tty }: CreateRequest): boolean {
  return stdinOnce && !tty
}

export function createLives(options: ContainerOptions, records: ContainerRecords): Lives {
  const { runtime, config } = options
  const lives = new Map<string, Life>()
  const of = (id: string): Life => {
    const known = lives.get(id)
    if (known) return known
    const record = records.find(id)?.record
    const request = record?.request
    const hub = createHub({
      connect: () => runtime.attach(id),
      resize: (rows, columns) => runtime.resize(id, rows, columns),
      stdinOnce: request !== undefined && closesInput(request),
      spoolPath: () => join(folderOf({ config }, id), `unread-${shortId()}`),
    })
    const log = record && keptLog(options, record)
    const life = { hub, log, exited: Promise.withResolvers<void>(), removed: Promise.withResolvers<number>() }
    lives.set(id, life)
    return life
  }
  return {
    of,
    exited(id) {
      const life = of(id)
      lives.set(id, { ...life, exited: Promise.withResolvers() })
      life.log?.rest()
      life.hub.end()
      life.exited.resolve()
    },
    removed(id, exitCode) {
      const life = lives.get(id)
      lives.delete(id)
      life?.log?.rest()
      life?.hub.end()
      life?.exited.resolve()
      life?.removed.resolve(exitCode)
    },
    close() {
      for (const { log } of lives.values()) log?.rest()
    },
  }
}

/** What is asked for; the daemon's own driver lends it the options that it does not say. */
export function logOf(parts: Pick<Parts, 'config'>, { log }: CreateRequest): LogConfig {
  const own = parts.config.containerLog ?? DEFAULT_LOG
  const driver = log?.driver || own.driver
  return { driver, options: { ...(driver === own.driver && own.options), ...log?.options } }
}

function keptLog(options: ContainerOptions, { id, logPath, request }: ContainerRecord): KeptLog | undefined {
  const limits = logLimits(request.log ?? DEFAULT_LOG)
  if (!limits) return undefined
  const files = createLogFiles(logPath, limits)
  const failed = (error: unknown): void => options.log.warn('cannot keep a log small', { id, error: messageOf(error) })
  const reopen = (): boolean => options.runtime.reopenLog(id)
  let keeper: Disposable | undefined
  const rest = (): void => {
    keeper?.[Symbol.dispose]()
    keeper = undefined
  }
  return {
    files,
    rest,
    keep() {
      rest()
      if (Number.isFinite(limits.maxSize)) keeper = keepLog({ files, maxSize: limits.maxSize, reopen, failed })
    },
  }
}

/** Says what happened, with the attributes that Docker gives. */
export function emitEvent(
  parts: Pick<Parts, 'events'>,
  action: string,
  record: ContainerRecord,
  more: Readonly<Record<string, string>> = {},
): void {
  const attributes = { ...record.labels, image: record.imageName, name: record.name, ...more }
  parts.events.emit({ type: 'container', action, actor: { id: record.id, attributes } })
}

/** Where a container's own files are. */
export function folderOf(parts: Pick<Parts, 'config'>, id: string): string {
  return `${parts.config.dataRoot}/containers/${id}`
}
