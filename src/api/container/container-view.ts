import { basename, dirname, join } from 'node:path'
import type { ContainerRecord, ExecRecord, SystemService } from '#engine'
import {
  type ContainerConfigJson,
  type ContainerJson,
  type ContainerStateJson,
  type ContainerSummaryJson,
  type ExecJson,
  formatRoughly,
} from '#wire'
import { secondsOf, timeText } from '#api/exchange'
import { networkSettingsJson, networksJson, portsJson } from '#api/network'
import { parseDetachKeys } from './detach-keys.ts'
import { hostConfigJson } from './host-config.ts'
import { mountsJson } from './mount-view.ts'

/** Bytes of the writable layer and of the whole root, where they were asked for. */
export interface ContainerSize {
  readonly writable: number
  readonly total: number
}

/** A row of GET /containers/json. `now` is nanoseconds since the epoch. */
export function containerSummary(
  record: ContainerRecord,
  facts: {
    readonly now: bigint
    readonly image: string
    /** «/web/db»: names that links of others give it. */
    readonly links?: readonly string[]
    readonly size?: ContainerSize | undefined
    /** Of the API version. */
    readonly minor: number
  },
): ContainerSummaryJson {
  return {
    Id: record.id,
    Names: [`/${record.name}`, ...(facts.links ?? [])],
    Image: facts.image,
    ImageID: record.image,
    Command: commandText(record),
    Created: secondsOf(record.createdAt),
    Ports: portsJson(record),
    ...(facts.size && sizesJson(facts.size)),
    Labels: record.labels,
    State: record.state,
    Status: statusText(record, facts.now),
    HostConfig: { NetworkMode: record.request.networkMode },
    NetworkSettings: { Networks: networksJson(record, facts.minor) },
    Mounts: mountsJson(record),
  }
}

/** As Docker: in a list a size of nothing is left out. */
function sizesJson({ writable, total }: ContainerSize): Pick<ContainerSummaryJson, 'SizeRw' | 'SizeRootFs'> {
  return { ...(writable > 0 && { SizeRw: writable }), ...(total > 0 && { SizeRootFs: total }) }
}

/** What a record does not say of its container. */
export interface ContainerFacts {
  readonly runtime: string
  readonly cgroups: SystemService['cgroups']
  /** Ids of its further processes. */
  readonly execs: readonly string[]
  readonly size?: ContainerSize | undefined
  /** Of the API version. */
  readonly minor: number
}

/** As Docker: the path of another driver's files is nobody's business. */
function keepsFile({ request }: ContainerRecord): boolean {
  return request.log === undefined || request.log.driver === 'json-file'
}

/** GET /containers/{id}/json. */
export function containerJson(record: ContainerRecord, facts: ContainerFacts): ContainerJson {
  // Files that are made by the first start.
  const file = (name: string): string => (record.startedAt === 0n ? '' : join(dirname(record.logPath), name))
  return {
    Id: record.id,
    Created: timeText(record.createdAt),
    Path: record.path,
    Args: record.args,
    State: stateJson(record),
    Image: record.image,
    ResolvConfPath: file('resolv.conf'),
    HostnamePath: file('hostname'),
    HostsPath: file('hosts'),
    LogPath: keepsFile(record) ? file(basename(record.logPath)) : '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: facts.execs.length > 0 ? facts.execs : null,
    HostConfig: hostConfigJson(record, facts),
    GraphDriver: { Name: 'overlay2', Data: null },
    ...(facts.size && { SizeRw: facts.size.writable, SizeRootFs: facts.size.total }),
    Mounts: mountsJson(record),
    Config: configJson(record),
    NetworkSettings: networkSettingsJson(record, facts.minor),
  }
}

/** GET /exec/{id}/json. */
export function execJson(record: ExecRecord): ExecJson {
  const { request } = record
  const [entrypoint = '', ...rest] = request.command
  return {
    ID: record.id,
    Running: record.running,
    ExitCode: record.exitCode ?? null,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: rest,
      privileged: request.privileged,
      ...(request.user !== undefined && { user: request.user }),
    },
    OpenStdin: request.stdin,
    OpenStderr: request.stderr,
    OpenStdout: request.stdout,
    CanRemove: false,
    ContainerID: record.container,
    // Bytes, which Go shows in base64.
    DetachKeys:
      request.detachKeys === undefined ? '' : Buffer.from(parseDetachKeys(request.detachKeys)).toString('base64'),
    Pid: record.pid,
  }
}

/** Docker's words for a state and since when («Up 3 minutes», «Exited (0) 2 hours ago»). */
export function statusText(record: ContainerRecord, now: bigint): string {
  const since = (time: bigint): string => formatRoughly(Number((now - time) / 1_000_000n))
  switch (record.state) {
    case 'created':
      return 'Created'
    case 'running':
      return `Up ${since(record.startedAt)}`
    case 'paused':
      return `Up ${since(record.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${record.exitCode}) ${since(record.finishedAt)} ago`
    case 'exited':
      return `Exited (${record.exitCode}) ${since(record.finishedAt)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
  }
}

function stateJson(record: ContainerRecord): ContainerStateJson {
  return {
    Status: record.state,
    Running: record.state === 'running' || record.state === 'paused' || record.state === 'restarting',
    Paused: record.state === 'paused',
    Restarting: record.state === 'restarting',
    OOMKilled: false,
    Dead: record.state === 'dead',
    Pid: record.pid,
    ExitCode: record.exitCode,
    Error: record.error,
    StartedAt: timeText(record.startedAt),
    FinishedAt: timeText(record.finishedAt),
  }
}

function configJson(record: ContainerRecord): ContainerConfigJson {
  const { request } = record
  const given = request.asGiven.config
  return {
    Hostname: record.hostname,
    Domainname: request.domainname ?? '',
    User: record.user,
    AttachStdin: request.attach.stdin,
    AttachStdout: request.attach.stdout,
    AttachStderr: request.attach.stderr,
    ...(record.exposedPorts.length > 0 && { ExposedPorts: setOf(record.exposedPorts) }),
    Tty: request.tty,
    OpenStdin: request.openStdin,
    StdinOnce: request.stdinOnce,
    Env: record.env.length > 0 ? record.env : null,
    Cmd: record.command ?? null,
    ...(request.healthcheck && { Healthcheck: request.healthcheck }),
    Image: record.imageName,
    Volumes: record.volumes.length > 0 ? setOf(record.volumes) : null,
    WorkingDir: record.workingDir,
    Entrypoint: record.entrypoint ?? emptyOrNull(given['Entrypoint']),
    ...(given['NetworkDisabled'] === true && { NetworkDisabled: true }),
    OnBuild: emptyOrNull(given['OnBuild']),
    Labels: record.labels,
    ...(record.stopSignal !== '' && record.stopSignal !== 'SIGTERM' && { StopSignal: record.stopSignal }),
    ...(request.stopTimeout !== undefined && { StopTimeout: request.stopTimeout }),
    ...macAddressJson(record),
  }
}

/** A list that was given empty stays one; null where none was given. */
function emptyOrNull(given: unknown): readonly string[] | null {
  return given ? [] : null
}

/** The container's own address of before API 1.44, where one was asked for. */
function macAddressJson({ request }: ContainerRecord): { readonly MacAddress?: string } {
  const main = request.networks.find(({ network }) => network === request.networkMode)
  return main?.macAddress === undefined ? {} : { MacAddress: main.macAddress }
}

/** As Docker shows it: words joined by blanks, those with blanks in quotes. */
function commandText(record: ContainerRecord): string {
  return [record.path, ...record.args.map((word) => (word.includes(' ') ? `'${word}'` : word))].join(' ')
}

function setOf(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}
