import type { BodyOnConnection, Bytes } from '#base'
import type { MountPoint, MountRequest } from '#container/mount'
import type { LogConfig, LogLine, LogOptions } from '#container/stream'
import type { DnsSettings, Endpoint, EndpointRequest, PortBinding, PublishedPort } from '#network'
import type { Healthcheck, ImageId } from '#oci'
import type { ExecProcess, StreamEnds } from '#runtime'
import type { PathChange } from '#store/layer'
import type { Usage } from '#store/snapshot'

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead'

/** What `create` takes: the API has already refused what is not carried out. Image defaults are merged in here, not by the caller. */
export interface CreateRequest {
  readonly name?: string
  readonly image: string
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly env: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly user?: string
  readonly workingDir?: string
  readonly hostname?: string
  readonly domainname?: string
  readonly tty: boolean
  readonly openStdin: boolean
  readonly stdinOnce: boolean
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean }
  readonly exposedPorts: readonly string[]
  readonly volumes: readonly string[]
  readonly stopSignal?: string
  readonly stopTimeout?: number
  readonly healthcheck?: Healthcheck
  /** bridge, host, none, container:<name or id>, or a network's name or id; in a record, the container's whole id. */
  readonly networkMode: string
  /** Networks to join, that of the mode first; empty for host, none and container. */
  readonly networks: readonly EndpointRequest[]
  readonly mounts: readonly MountRequest[]
  /** Containers whose volumes and binds it has too, in order: those of a later one stand over those of an earlier one. */
  readonly volumesFrom?: readonly { readonly container: string; readonly readonly: boolean }[]
  readonly ports: readonly PortBinding[]
  /** Every exposed port is published to one that is free. */
  readonly publishAll: boolean
  /** «container:alias», as given; of the default bridge only, others stand in `networks`. */
  readonly links: readonly string[]
  readonly dns: DnsSettings
  /** Lines for /etc/hosts, «name:address». */
  readonly extraHosts: readonly string[]
  readonly autoRemove: boolean
  readonly init: boolean
  readonly privileged: boolean
  readonly capAdd: readonly string[]
  readonly capDrop: readonly string[]
  readonly readonlyRoot: boolean
  readonly shmSize?: number
  /** Of its terminal, when it starts. */
  readonly consoleSize?: { readonly rows: number; readonly columns: number }
  /** As asked for, an empty driver being the daemon's own; in a record, what it is. Older ones have none. */
  readonly log?: LogConfig
  /** The request as it came, given back by inspect (HostConfig and Config as on the wire). */
  readonly asGiven: {
    readonly config: Readonly<Record<string, unknown>>
    readonly hostConfig: Readonly<Record<string, unknown>>
  }
}

/** A stored row, whole enough for inspect. Times are nanoseconds since the epoch; 0n is «never». */
export interface ContainerRecord {
  readonly id: string
  readonly name: string
  readonly image: ImageId
  /** As the user wrote it. */
  readonly imageName: string
  readonly createdAt: bigint
  readonly request: CreateRequest
  /** Image defaults and request merged: what really runs. */
  readonly path: string
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly entrypoint: readonly string[] | undefined
  readonly command: readonly string[] | undefined
  readonly user: string
  readonly workingDir: string
  readonly labels: Readonly<Record<string, string>>
  readonly exposedPorts: readonly string[]
  readonly volumes: readonly string[]
  readonly stopSignal: string
  readonly hostname: string
  readonly mounts: readonly MountPoint[]
  readonly state: ContainerState
  readonly pid: number
  readonly exitCode: number
  readonly error: string
  readonly startedAt: bigint
  readonly finishedAt: bigint
  readonly restartCount: number
  /** While it runs; what it is to join stands in the request. */
  readonly endpoints: readonly Endpoint[]
  /** While it runs. */
  readonly ports: readonly PublishedPort[]
  /** Its network namespace, while it runs and has one. */
  readonly sandboxPath?: string | undefined
  /** Where its log would be, should it have one. */
  readonly logPath: string
  /** Of one that is being removed: its volumes without a name go with it. */
  readonly removesVolumes?: boolean
  /** Of the default bridge; older records have none. */
  readonly links?: readonly ContainerLink[]
}

/** A container that this one reaches by a name and by variables. */
export interface ContainerLink {
  /** Its id. */
  readonly container: string
  /** Its name without a slash; of one that was removed, the last. */
  readonly name: string
  readonly alias: string
}

export interface ExecRequest {
  readonly command: readonly string[]
  readonly env: readonly string[]
  readonly user?: string
  readonly workingDir?: string
  readonly privileged: boolean
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly detachKeys?: string
}

export interface ExecStartOptions {
  readonly detach: boolean
  readonly tty: boolean
  readonly size?: { readonly rows: number; readonly columns: number }
}

export interface ExecRecord {
  readonly id: string
  readonly container: string
  readonly request: ExecRequest
  readonly running: boolean
  readonly pid: number
  readonly exitCode: number | undefined
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed'

export interface CommitRequest {
  readonly container: string
  readonly name?: string
  readonly comment?: string
  readonly author?: string
  readonly pause: boolean
  /** Dockerfile lines of -c. */
  readonly changes: readonly string[]
}

/** What stands at a path of a container; of a link, the link itself. */
export interface PathStat {
  /** Its last name, as asked for: «.» for «/etc/.», «/» for the root. */
  readonly name: string
  readonly size: number
  /** st_mode, with the bits of its type. */
  readonly mode: number
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint
  /** Of a link: where it leads in the end, as a path of the container; else empty. */
  readonly linkTarget: string
}

/** A path that is held to be sent; one that does not run stays locked until it is let go. */
export interface PathArchive extends AsyncDisposable {
  readonly stat: PathStat
  /**
   * A worker writes it to a connection, which stays the caller's and may be closed meanwhile: a tar whose names begin with
   * the path's last one. What breaks it off is thrown when the connection already has a part.
   */
  readonly sendTo: (connection: Connection) => Promise<void>
}

/** A client's connection by its descriptor. */
export interface Connection {
  readonly descriptor: number
  /** Bytes go in chunks of HTTP/1.1, the last one left out; else as they are. */
  readonly chunked: boolean
}

export interface UnpackRequest {
  readonly container: string
  /** A folder in it, as a raw name (`RawName` of #archive). */
  readonly path: string
  /** A tar, compressed or not. */
  readonly bytes: Bytes
  /** The same body, where it can be taken over instead. */
  readonly connection?: BodyOnConnection
  /** A folder is never replaced by something else, nor something else by a folder. */
  readonly keepKinds: boolean
  /** What is unpacked belongs to the container's user, not to the owners in the archive. */
  readonly ownedByUser: boolean
  readonly signal?: AbortSignal
}

/** All names may be ids, unique prefixes, or names with or without a leading slash. */
export interface ContainerService {
  create(request: CreateRequest): Promise<{ readonly id: string; readonly warnings: readonly string[] }>
  /** `not-modified` where it runs already. Errors carry `details.exitCode` 126 or 127 where the command could not be started. */
  start(name: string): Promise<void>
  stop(name: string, options: { readonly timeout?: number; readonly signal?: string }): Promise<void>
  restart(name: string, options: { readonly timeout?: number; readonly signal?: string }): Promise<void>
  kill(name: string, signal: string): Promise<void>
  pause(name: string): Promise<void>
  unpause(name: string): Promise<void>
  remove(name: string, options: { readonly force: boolean; readonly volumes: boolean }): Promise<void>
  wait(
    name: string,
    condition: WaitCondition,
    signal?: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly error?: string }>
  rename(name: string, to: string): Promise<void>
  /** Takes a link away by its name («web/db», the container itself stays); errors in Docker's words. */
  unlink(name: string): Promise<void>
  /** Joins a network; one that does not run only remembers it. Errors in Docker's words. */
  connect(name: string, request: EndpointRequest): Promise<void>
  disconnect(name: string, network: string, options: { readonly force: boolean }): Promise<void>
  get(name: string): Promise<ContainerRecord>
  list(): Promise<readonly ContainerRecord[]>
  /** Before `start` too: then the streams begin with the container. With `logs`, what was written before comes first. */
  attach(
    name: string,
    options: { readonly logs: boolean; readonly stream: boolean; readonly signal?: AbortSignal },
  ): Promise<StreamEnds>
  resize(name: string, rows: number, columns: number): Promise<void>
  logs(name: string, options: LogOptions): Promise<AsyncIterable<LogLine>>
  changes(name: string): Promise<readonly PathChange[]>
  /** Writable layer; and whole root where `total`. */
  usage(name: string): Promise<Usage>
  top(
    name: string,
    psArgs: readonly string[],
  ): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }>
  export(name: string, signal?: AbortSignal): Promise<Bytes>
  /** The path is a raw name. Errors in Docker's words; tmpfs mounts are not seen. The same holds for `pack` and `unpack`. */
  stat(name: string, path: string): Promise<PathStat>
  pack(name: string, path: string, signal?: AbortSignal): Promise<PathArchive>
  unpack(request: UnpackRequest): Promise<void>
  commit(request: CommitRequest): Promise<ImageId>
  prune(
    keep: (container: ContainerRecord) => boolean,
  ): Promise<{ readonly removed: readonly string[]; readonly bytes: number }>
  execCreate(name: string, request: ExecRequest): Promise<string>
  /** Rejects where the command cannot be started, in Docker's words. */
  execStart(id: string, options: ExecStartOptions): Promise<ExecProcess>
  execResize(id: string, rows: number, columns: number): Promise<void>
  execGet(id: string): Promise<ExecRecord>
  /** Ids of a container's execs, for inspect. */
  execIds(name: string): readonly string[]
}
