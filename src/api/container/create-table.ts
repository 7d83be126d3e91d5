import { invalid } from '#base'

/** One member of a create body: the flag that sets it, and the values that ask for nothing. */
interface Field {
  readonly flag: string
  /** Values beyond zero ones (null, '', 0, false, empty) that mean «nothing asked for», or that are carried out. */
  readonly accepts?: (value: unknown) => boolean
}

type FieldTable = Readonly<Record<string, Field | 'carried out'>>

const oneOf =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value)

const CONFIG_FIELDS: FieldTable = {
  Hostname: 'carried out',
  Domainname: 'carried out',
  User: 'carried out',
  AttachStdin: 'carried out',
  AttachStdout: 'carried out',
  AttachStderr: 'carried out',
  ExposedPorts: 'carried out',
  Tty: 'carried out',
  OpenStdin: 'carried out',
  StdinOnce: 'carried out',
  Env: 'carried out',
  Cmd: 'carried out',
  Entrypoint: 'carried out',
  Image: 'carried out',
  Volumes: 'carried out',
  WorkingDir: 'carried out',
  Labels: 'carried out',
  StopSignal: 'carried out',
  StopTimeout: 'carried out',
  Healthcheck: { flag: '--health-cmd', accepts: isNoHealthcheck },
  NetworkDisabled: 'carried out',
  MacAddress: 'carried out',
  OnBuild: { flag: 'OnBuild' },
  Shell: { flag: 'Shell' },
  ArgsEscaped: { flag: 'ArgsEscaped' },
  // dockerode says them in the query and once more here.
  name: 'carried out',
  platform: 'carried out',
}

/** What Docker masks and write-protects below /proc and /sys; inspect gives them back, so create takes them. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]
export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]

const HOST_CONFIG_FIELDS: FieldTable = {
  Binds: 'carried out',
  NetworkMode: 'carried out',
  AutoRemove: 'carried out',
  CapAdd: 'carried out',
  CapDrop: 'carried out',
  Privileged: 'carried out',
  ReadonlyRootfs: 'carried out',
  ShmSize: 'carried out',
  Tmpfs: 'carried out',
  Mounts: 'carried out',
  Init: 'carried out',
  // Known to the client alone: where it writes the id, and how large its terminal is (it resizes after the start).
  ContainerIDFile: 'carried out',
  ConsoleSize: 'carried out',
  LogConfig: 'carried out',
  PortBindings: 'carried out',
  PublishAllPorts: 'carried out',
  RestartPolicy: { flag: '--restart', accepts: isNoRestart },
  VolumeDriver: 'carried out',
  VolumesFrom: 'carried out',
  Annotations: { flag: '--annotation' },
  CgroupnsMode: { flag: '--cgroupns' },
  Dns: 'carried out',
  DnsOptions: 'carried out',
  DnsSearch: 'carried out',
  ExtraHosts: 'carried out',
  GroupAdd: { flag: '--group-add' },
  IpcMode: { flag: '--ipc', accepts: oneOf('private') },
  Cgroup: { flag: 'HostConfig.Cgroup' },
  Links: 'carried out',
  OomScoreAdj: { flag: '--oom-score-adj' },
  PidMode: { flag: '--pid' },
  SecurityOpt: { flag: '--security-opt' },
  StorageOpt: { flag: '--storage-opt' },
  UTSMode: { flag: '--uts' },
  UsernsMode: { flag: '--userns', accepts: oneOf('host') },
  Sysctls: { flag: '--sysctl' },
  Runtime: { flag: '--runtime' },
  Isolation: { flag: '--isolation', accepts: oneOf('default') },
  CpuShares: { flag: '--cpu-shares' },
  Memory: { flag: '--memory' },
  NanoCpus: { flag: '--cpus' },
  CgroupParent: { flag: '--cgroup-parent' },
  BlkioWeight: { flag: '--blkio-weight' },
  BlkioWeightDevice: { flag: '--blkio-weight-device' },
  BlkioDeviceReadBps: { flag: '--device-read-bps' },
  BlkioDeviceWriteBps: { flag: '--device-write-bps' },
  BlkioDeviceReadIOps: { flag: '--device-read-iops' },
  BlkioDeviceWriteIOps: { flag: '--device-write-iops' },
  CpuPeriod: { flag: '--cpu-period' },
  CpuQuota: { flag: '--cpu-quota' },
  CpuRealtimePeriod: { flag: '--cpu-rt-period' },
  CpuRealtimeRuntime: { flag: '--cpu-rt-runtime' },
  CpusetCpus: { flag: '--cpuset-cpus' },
  CpusetMems: { flag: '--cpuset-mems' },
  Devices: { flag: '--device' },
  DeviceCgroupRules: { flag: '--device-cgroup-rule' },
  DeviceRequests: { flag: '--gpus' },
  KernelMemory: { flag: '--kernel-memory' },
  KernelMemoryTCP: { flag: '--kernel-memory-tcp' },
  MemoryReservation: { flag: '--memory-reservation' },
  MemorySwap: { flag: '--memory-swap' },
  MemorySwappiness: { flag: '--memory-swappiness', accepts: oneOf(-1) },
  OomKillDisable: { flag: '--oom-kill-disable' },
  PidsLimit: { flag: '--pids-limit', accepts: oneOf(-1) },
  Ulimits: { flag: '--ulimit' },
  CpuCount: { flag: '--cpu-count' },
  CpuPercent: { flag: '--cpu-percent' },
  IOMaximumIOps: { flag: '--io-maxiops' },
  IOMaximumBandwidth: { flag: '--io-maxbandwidth' },
  MaskedPaths: { flag: '--security-opt systempaths', accepts: isList(MASKED_PATHS) },
  ReadonlyPaths: { flag: '--security-opt systempaths', accepts: isList(READONLY_PATHS) },
}

/** Zero values that ask for something all the same: an empty list of masked paths unmasks them, 0 forbids swapping. */
const MEANINGFUL_ZEROS: Readonly<Record<string, (value: unknown) => boolean>> = {
  MaskedPaths: Array.isArray,
  ReadonlyPaths: Array.isArray,
  MemorySwappiness: (value) => value === 0,
}

export type BodyObject = Readonly<Record<string, unknown>>

export interface CreateParts {
  readonly config: BodyObject
  readonly hostConfig: BodyObject
}

/** Keys as Docker spells them: Go reads them in any case. Unknown ones stay as they are. */
export function spellConfig(body: BodyObject): BodyObject {
  return spell(body, [...Object.keys(CONFIG_FIELDS), 'HostConfig', 'NetworkingConfig'])
}

export function spellHostConfig(body: BodyObject): BodyObject {
  return spell(body, Object.keys(HOST_CONFIG_FIELDS))
}

/**
 * Throws `invalid`, naming the flags, where the body asks for what is not carried out: nothing is silently ignored,
 * members that are not known at all included.
 */
export function refuseUnsupported({ config, hostConfig }: CreateParts): void {
  const wanted = [
    ...unsupportedIn(CONFIG_FIELDS, config, 'Config'),
    ...unsupportedIn(HOST_CONFIG_FIELDS, hostConfig, 'HostConfig'),
  ]
  if (wanted.length === 0) return
  const flags = [...new Set(wanted.map(({ flag }) => flag))].join(', ')
  const members = wanted.map(({ member }) => member).join(', ')
  throw invalid(`${flags}: not yet carried out by mica (${members})`)
}

interface Unsupported {
  readonly flag: string
  readonly member: string
}

function unsupportedIn(table: FieldTable, body: BodyObject, where: string): readonly Unsupported[] {
  return Object.entries(body).flatMap(([name, value]) => {
    const field = Object.hasOwn(table, name) ? table[name] : { flag: `${where}.${name}` }
    if (field === undefined || field === 'carried out' || asksNothing(name, value, field)) return []
    return [{ flag: field.flag, member: `${where}.${name}` }]
  })
}

function asksNothing(name: string, value: unknown, field: Field): boolean {
  if (field.accepts?.(value) === true) return true
  return isZero(value) && MEANINGFUL_ZEROS[name]?.(value) !== true
}

/** Null, '', 0, false, and lists and objects of nothing else: what Go leaves of a field nobody set. */
function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isZero)
  return value === null || value === undefined || value === '' || value === 0 || value === false
}

function spell(body: BodyObject, names: readonly string[]): BodyObject {
  const known = new Map(names.map((name) => [name.toLowerCase(), name]))
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [known.get(key.toLowerCase()) ?? key, value]))
}

function isNoHealthcheck(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('Test' in value)) return false
  return Array.isArray(value.Test) && value.Test.length === 1 && value.Test[0] === 'NONE'
}

function isNoRestart(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'Name' in value && value.Name === 'no'
}

function isList(paths: readonly string[]) {
  return (value: unknown): boolean =>
    Array.isArray(value) && value.length === paths.length && value.every((path, index) => path === paths[index])
}
