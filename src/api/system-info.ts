import { readFile } from 'node:fs/promises'
import { cpus, hostname, machine, release, totalmem } from 'node:os'
import { ifExists } from '#base'
import type { Engine } from '#engine'
import { hostPlatform } from '#oci'
import { API_VERSION, type ApiVersion, compareVersions, type InfoJson, MIN_API_VERSION, type VersionJson } from '#wire'
import { timeText, wallClock } from '#api/exchange'

export function versionJson({ system }: Pick<Engine, 'system'>): VersionJson {
  const { os, architecture } = hostPlatform()
  const shared = {
    ApiVersion: API_VERSION,
    Arch: architecture,
    BuildTime: '',
    GitCommit: '',
    GoVersion: '',
    KernelVersion: release(),
    MinAPIVersion: MIN_API_VERSION,
    Os: os,
  }
  return {
    Platform: { Name: 'mica' },
    Components: [
      { Name: 'Engine', Version: system.version, Details: { ...shared, Experimental: 'false' } },
      { Name: 'node', Version: process.versions.node, Details: {} },
      { Name: system.runtime.name, Version: system.runtime.version, Details: {} },
    ],
    Version: system.version,
    ...shared,
  }
}

/** GET /info, with what clients of that version expect to find. */
export async function infoJson(engine: Engine, version: ApiVersion): Promise<InfoJson> {
  const { system } = engine
  const [images, findings, name] = await Promise.all([engine.images.list(), system.doctor(), operatingSystem()])
  const unmet = findings.filter((finding) => !finding.ok)
  return {
    ID: system.id,
    ...(await containerCounts(engine)),
    Images: images.length,
    ...storageFacts(engine),
    ...hostFacts(engine),
    OperatingSystem: name,
    ...registryFacts(engine, version),
    ...networkFacts(engine, version),
    DockerRootDir: system.config.dataRoot,
    ServerVersion: system.version,
    Runtimes: { [system.runtime.name]: { path: system.runtime.name } },
    DefaultRuntime: system.runtime.name,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    CDISpecDirs: [],
    SecurityOptions: ['name=seccomp,profile=builtin'],
    Warnings: unmet.length > 0 ? unmet.map((finding) => `WARNING: ${finding.text}`) : null,
  }
}

async function containerCounts({ containers }: Engine) {
  const states = (await containers.list()).map(({ state }) => state)
  const running = states.filter((state) => state === 'running' || state === 'restarting').length
  const paused = states.filter((state) => state === 'paused').length
  return {
    Containers: states.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: states.length - running - paused,
  }
}

function storageFacts({ system }: Engine) {
  return {
    Driver: 'overlay2',
    DriverStatus: [
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'true'],
    ],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    LoggingDriver: system.config.containerLog?.driver ?? 'json-file',
    CgroupDriver: system.cgroups === 'none' ? 'none' : 'cgroupfs',
    CgroupVersion: system.cgroups === 'v2' ? '2' : '1',
  }
}

function hostFacts({ system }: Engine) {
  const limits = system.cgroups !== 'none'
  return {
    MemoryLimit: limits,
    SwapLimit: limits,
    CpuCfsPeriod: limits,
    CpuCfsQuota: limits,
    CPUShares: limits,
    CPUSet: limits,
    PidsLimit: limits,
    OomKillDisable: false,
    IPv4Forwarding: true,
    Debug: system.config.logLevel === 'debug',
    NFd: -1,
    NGoroutines: -1,
    NEventsListener: -1,
    SystemTime: timeText(wallClock()),
    KernelVersion: release(),
    OSVersion: '',
    OSType: 'linux',
    Architecture: machine(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    GenericResources: null,
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
  }
}

/** From here on these are told or not told any more. */
const SINCE = {
  firewall: { major: 1, minor: 49 },
  noBridgeFilter: { major: 1, minor: 50 },
  noNondistributable: { major: 1, minor: 47 },
}

function networkFacts({ system }: Engine, version: ApiVersion) {
  const pools = system.config.network?.addressPools ?? []
  return {
    ...(compareVersions(version, SINCE.noBridgeFilter) < 0 && { BridgeNfIptables: false, BridgeNfIp6tables: false }),
    ...(compareVersions(version, SINCE.firewall) >= 0 && { FirewallBackend: { Driver: 'nftables' } }),
    ...(pools.length > 0 && { DefaultAddressPools: pools.map(poolJson) }),
  }
}

/** Of the flag's words, «base=10.10.0.0/16,size=24». */
function poolJson(text: string): { readonly Base: string; readonly Size: number } {
  const words = new Map(text.split(',').map((word): readonly [string, string] => cutAt(word, word.indexOf('='))))
  return { Base: words.get('base') ?? '', Size: Number(words.get('size')) }
}

function cutAt(word: string, at: number): readonly [string, string] {
  return [word.slice(0, at), word.slice(at + 1)]
}

function registryFacts({ system }: Engine, version: ApiVersion) {
  const { mirrors, insecureRegistries, proxy } = system.config
  const docker = { Name: 'docker.io', Mirrors: mirrors, Secure: true, Official: true }
  const insecure = insecureRegistries.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }])
  return {
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      ...(compareVersions(version, SINCE.noNondistributable) < 0 && {
        AllowNondistributableArtifactsCIDRs: null,
        AllowNondistributableArtifactsHostnames: null,
      }),
      IndexConfigs: { 'docker.io': docker, ...Object.fromEntries(insecure) },
      InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
      Mirrors: mirrors,
    },
    HttpProxy: withoutCredentials(proxy.http),
    HttpsProxy: withoutCredentials(proxy.https),
    NoProxy: proxy.except ?? '',
  }
}

function withoutCredentials(url: string | undefined): string {
  return (url ?? '').replace(/^([a-z]+:\/\/)[^/@]+@/i, '$1xxxxx:xxxxx@')
}

async function operatingSystem(): Promise<string> {
  const text = (await ifExists(readFile('/etc/os-release', 'utf8'))) ?? ''
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux'
}
