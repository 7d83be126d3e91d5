import { setForm } from '#cli/template'

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Maps of the API's objects, which Go writes by the order of their keys. */
const MAPS: ReadonlySet<string> = new Set([
  'Annotations',
  'Containers',
  'DriverOpts',
  'ExposedPorts',
  'Labels',
  'Networks',
  'Options',
  'PortBindings',
  'Ports',
  'Sysctls',
  'Tmpfs',
  'Volumes',
])

/** The same with the keys of its maps in order. */
export function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (!isObject(value)) return value
  const members = Object.entries(value).map(([name, member]) => {
    const inner = inOrder(member)
    return [name, MAPS.has(name) && isObject(inner) ? sorted(inner) : inner] as const
  })
  return Object.fromEntries(members)
}

function sorted(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** Members of an image's config in the order of the image specification's type in docker's client. */
const IMAGE_CONFIG = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const

/** Members that Go's types call otherwise than the JSON. */
const OTHER_NAMES: Readonly<Record<string, string>> = { ID: 'Id' }
const OTHER_HOST_NAMES: Readonly<Record<string, string>> = {
  CPUCount: 'CpuCount',
  CPUPercent: 'CpuPercent',
  CPUPeriod: 'CpuPeriod',
  CPUQuota: 'CpuQuota',
  CPURealtimePeriod: 'CpuRealtimePeriod',
  CPURealtimeRuntime: 'CpuRealtimeRuntime',
  CPUShares: 'CpuShares',
  DNS: 'Dns',
  DNSOptions: 'DnsOptions',
  DNSSearch: 'DnsSearch',
  NanoCPUs: 'NanoCpus',
}

/** What Go's types have where the JSON leaves it out; null is an empty list or map, or a pointer to nothing. */
const CONTAINER = { SizeRw: null, SizeRootFs: null, ImageManifestDescriptor: null }
const HOST = { CpuCount: 0, CpuPercent: 0, KernelMemory: 0, KernelMemoryTCP: 0, Mounts: null }
const CONFIG = {
  ArgsEscaped: false,
  MacAddress: '',
  NetworkDisabled: false,
  Shell: null,
  StopSignal: '',
  StopTimeout: null,
}
const IMAGE = { Container: '', Manifests: null, OsVersion: '', Variant: '', VirtualSize: 0 }
const NETWORK = { Peers: null, Services: null }

/** The object with all members of its type in docker's client; `json` still writes what was sent. */
export function typed(found: unknown): unknown {
  if (!isObject(found)) return found
  const { HostConfig, Config } = found
  if (isObject(HostConfig)) {
    const inner = { HostConfig: filled(HostConfig, HOST, OTHER_HOST_NAMES), Config: filled(Config, CONFIG) }
    return filled({ ...found, ...inner }, CONTAINER, OTHER_NAMES, found)
  }
  if ('RootFS' in found) {
    const sent = { ...found, Config: imageConfig(Config) }
    return filled(sent, IMAGE, OTHER_NAMES)
  }
  return filled(found, NETWORK, OTHER_NAMES)
}

function filled(
  sent: unknown,
  absent: JsonObject,
  names: Readonly<Record<string, string>> = {},
  form: unknown = sent,
): unknown {
  if (!isObject(sent)) return sent
  const all = { ...absent, ...sent }
  const others = Object.entries(names).map(([name, own]) => [name, all[own]] as const)
  const value = { ...all, ...Object.fromEntries(others.filter(([, member]) => member !== undefined)) }
  if (isObject(form)) setForm(value, form)
  return value
}

/** An image's config is written without what is empty: docker's client reads it as one of the image specification. */
function imageConfig(config: unknown): unknown {
  if (!isObject(config)) return config
  const said = IMAGE_CONFIG.filter((name) => !isEmpty(config[name])).map((name) => [name, config[name]] as const)
  return filled(config, CONFIG, {}, Object.fromEntries(said))
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (isObject(value)) return Object.keys(value).length === 0
  return value === undefined || value === null || value === '' || value === false
}
