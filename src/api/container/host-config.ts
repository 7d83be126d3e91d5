import type { ContainerRecord, SystemService } from '#engine'
import { MASKED_PATHS, READONLY_PATHS } from './create-table.ts'

/** Docker's own default for /dev/shm, bytes. */
const SHM_SIZE = 64 * 1024 * 1024

/** Old clients send these limits as 0; kernels no longer know them. */
const FORGOTTEN = new Set(['KernelMemory', 'KernelMemoryTCP'])

/** Docker leaves these out where they are empty. */
const UNSEEN = new Set(['Annotations', 'Mounts', 'StorageOpt', 'Sysctls', 'Tmpfs'])

const isEmpty = (value: unknown): boolean => typeof value === 'object' && Object.keys(value ?? {}).length === 0

/** What a request does not say. */
export interface HostFacts {
  readonly runtime: string
  readonly cgroups: SystemService['cgroups']
}

/** HostConfig for inspect: every member that Docker shows, in its order; what was asked for stands over the defaults. */
export function hostConfigJson(
  record: ContainerRecord,
  { runtime, cgroups }: HostFacts,
): Readonly<Record<string, unknown>> {
  const { request } = record
  const given = Object.fromEntries(
    Object.entries(request.asGiven.hostConfig).filter(
      ([name, value]) =>
        value !== null && value !== '' && !FORGOTTEN.has(name) && !(UNSEEN.has(name) && isEmpty(value)),
    ),
  )
  return {
    ...defaults(runtime),
    ...given,
    NetworkMode: request.networkMode,
    // So that no label of SELinux is put on it, where the host has that.
    ...(request.privileged && { SecurityOpt: ['label=disable'] }),
    Links: linksOf(record),
    IpcMode: 'private',
    CgroupnsMode: cgroups === 'v2' && !request.privileged ? 'private' : 'host',
    ShmSize: request.shmSize ?? SHM_SIZE,
    LogConfig: { Type: request.log?.driver ?? 'json-file', Config: request.log?.options ?? {} },
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    MemorySwappiness: null,
    PidsLimit: null,
    MaskedPaths: request.privileged ? null : MASKED_PATHS,
    ReadonlyPaths: request.privileged ? null : READONLY_PATHS,
  }
}

/** As Docker writes them: «/db:/web/mysql»; those of a network of a user's own stand with the network. */
function linksOf({ name, links = [] }: ContainerRecord): readonly string[] | null {
  return links.length > 0 ? links.map((link) => `/${link.name}:/${name}/${link.alias}`) : null
}

function defaults(runtime: string): Readonly<Record<string, unknown>> {
  return {
    Binds: null,
    ContainerIDFile: '',
    LogConfig: null,
    NetworkMode: 'bridge',
    PortBindings: null,
    RestartPolicy: null,
    AutoRemove: false,
    VolumeDriver: '',
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    CapAdd: null,
    CapDrop: null,
    CgroupnsMode: '',
    Dns: null,
    DnsOptions: null,
    DnsSearch: null,
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: 'private',
    Cgroup: '',
    Links: null,
    OomScoreAdj: 0,
    PidMode: '',
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: false,
    SecurityOpt: null,
    UTSMode: '',
    UsernsMode: '',
    ShmSize: SHM_SIZE,
    Runtime: runtime,
    Isolation: '',
    ...resourceDefaults(),
  }
}

function resourceDefaults(): Readonly<Record<string, unknown>> {
  return {
    CpuShares: 0,
    Memory: 0,
    NanoCpus: 0,
    CgroupParent: '',
    BlkioWeight: 0,
    BlkioWeightDevice: null,
    BlkioDeviceReadBps: null,
    BlkioDeviceWriteBps: null,
    BlkioDeviceReadIOps: null,
    BlkioDeviceWriteIOps: null,
    CpuPeriod: 0,
    CpuQuota: 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: '',
    CpusetMems: '',
    Devices: null,
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: 0,
    MemorySwap: 0,
    MemorySwappiness: null,
    OomKillDisable: false,
    PidsLimit: null,
    Ulimits: null,
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  }
}
