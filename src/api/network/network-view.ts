import type { ContainerRecord, Endpoint, EndpointRequest, PublishedPort } from '#engine'
import type { ContainerJson, EndpointJson, PortBindingJson, PortJson } from '#wire'
import { isJoined, isUserDefined, plainEndpoint } from './endpoint-request.ts'

/** NetworkSettings of inspect; `minor` is that of the API version. */
export function networkSettingsJson(record: ContainerRecord, minor: number): ContainerJson['NetworkSettings'] {
  const networks = networksJson(record, minor)
  const first = networks['bridge'] ?? endpointJson(plainEndpoint('bridge'))
  return {
    Bridge: '',
    SandboxID: record.sandboxPath === undefined ? '' : record.id,
    SandboxKey: record.sandboxPath ?? '',
    Ports: portMap(record),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: first.EndpointID,
    Gateway: first.Gateway,
    GlobalIPv6Address: first.GlobalIPv6Address,
    GlobalIPv6PrefixLen: first.GlobalIPv6PrefixLen,
    IPAddress: first.IPAddress,
    IPPrefixLen: first.IPPrefixLen,
    IPv6Gateway: first.IPv6Gateway,
    MacAddress: first.MacAddress,
    Networks: networks,
  }
}

/** Ports of a row of `docker ps`: those that are only exposed have no public number. */
export function portsJson(record: ContainerRecord): readonly PortJson[] {
  return openPorts(record).flatMap((text) => {
    const [range = '', type = 'tcp'] = text.split('/')
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index).flatMap((number) => {
      const places = publishedAt(record, number, type)
      return places.length === 0
        ? [{ PrivatePort: number, Type: type }]
        : places.map(({ hostIp, hostPort }) => ({
            IP: hostIp,
            PrivatePort: number,
            PublicPort: hostPort,
            Type: type,
          }))
    })
  })
}

/** Ports of inspect: null for one that is only exposed. */
function portMap(record: ContainerRecord): Readonly<Record<string, readonly PortBindingJson[] | null>> {
  return Object.fromEntries(
    openPorts(record).flatMap((text) => {
      const [range = '', type = 'tcp'] = text.split('/')
      const [from = 0, to = from] = range.split('-').map(Number)
      return Array.from({ length: to - from + 1 }, (_, index) => {
        const places = publishedAt(record, from + index, type)
        const bindings = places.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: String(hostPort) }))
        return [`${from + index}/${type}`, bindings.length > 0 ? bindings : null]
      })
    }),
  )
}

function publishedAt({ ports }: ContainerRecord, number: number, type: string): readonly PublishedPort[] {
  return ports.filter((port) => port.containerPort === number && port.protocol === type)
}

/** What is exposed or published counts as long as the container is in a network of ports. */
function openPorts(record: ContainerRecord): readonly string[] {
  if (!record.endpoints.some((endpoint) => endpoint.address !== undefined || endpoint.address6 !== undefined)) return []
  const published = record.ports.map((port) => `${port.containerPort}/${port.protocol}`)
  return [...new Set([...record.exposedPorts, ...published.filter((port) => !isAmong(port, record.exposedPorts))])]
}

function isAmong(port: string, ranges: readonly string[]): boolean {
  const [number, type] = port.split('/')
  return ranges.some((text) => {
    const [range = '', kind] = text.split('/')
    const [from = 0, to = from] = range.split('-').map(Number)
    return kind === type && Number(number) >= from && Number(number) <= to
  })
}

/** Since then a container's short id is no alias of its own. */
const NAMES_OF_THEIR_OWN = 45

/** Of a container that does not run what it is to join, without addresses. */
export function networksJson(record: ContainerRecord, minor: number): Readonly<Record<string, EndpointJson>> {
  const entries = joined(record).toSorted(([one], [other]) => (one < other ? -1 : 1))
  const short = record.id.slice(0, 12)
  return Object.fromEntries(
    entries.map(([name, json]) => {
      if (minor >= NAMES_OF_THEIR_OWN || !isUserDefined(name)) return [name, json]
      return [name, { ...json, Aliases: [...new Set([...(json.Aliases ?? []), short, record.hostname])] }]
    }),
  )
}

function joined({ endpoints, request }: ContainerRecord): readonly (readonly [string, EndpointJson])[] {
  const { networkMode, networks } = request
  if (endpoints.length > 0) {
    const asked = (endpoint: Endpoint): EndpointRequest | undefined =>
      networks.find(({ network }) => network === endpoint.network || network === endpoint.networkId)
    return endpoints.map((endpoint) => [endpoint.network, endpointJson(asked(endpoint) ?? endpoint, endpoint)])
  }
  if (networks.length > 0) return networks.map((one) => [one.network, endpointJson(one)])
  const isShared = !isJoined(networkMode) && networkMode.startsWith('container:')
  return isShared ? [] : [[networkMode, endpointJson(plainEndpoint(networkMode))]]
}

/** What was asked for, and where it runs what came of it. */
type Asked = Pick<EndpointRequest, 'aliases' | 'links' | 'driverOptions' | 'gwPriority'> & Partial<EndpointRequest>

function endpointJson(asked: Asked, live?: Endpoint): EndpointJson {
  return {
    IPAMConfig: ipamJson(asked),
    Links: orNull(asked.links),
    Aliases: orNull(asked.aliases),
    MacAddress: live?.macAddress ?? asked.macAddress ?? '',
    DriverOpts: Object.keys(asked.driverOptions).length > 0 ? asked.driverOptions : null,
    GwPriority: asked.gwPriority,
    ...(live ? addressesJson(live) : NO_ADDRESSES),
  }
}

type Addresses = Omit<EndpointJson, 'IPAMConfig' | 'Links' | 'Aliases' | 'MacAddress' | 'DriverOpts' | 'GwPriority'>

const NO_ADDRESSES: Addresses = {
  NetworkID: '',
  EndpointID: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
}

function addressesJson(live: Endpoint): Addresses {
  return {
    NetworkID: live.networkId,
    EndpointID: live.id,
    Gateway: live.gateway ?? '',
    IPAddress: live.address ?? '',
    IPPrefixLen: live.prefixLength ?? 0,
    IPv6Gateway: live.gateway6 ?? '',
    GlobalIPv6Address: live.address6 ?? '',
    GlobalIPv6PrefixLen: live.prefixLength6 ?? 0,
    DNSNames: orNull(live.dnsNames),
  }
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length > 0 ? list : null
}

function ipamJson({ linkLocal, ...asked }: Asked): EndpointJson['IPAMConfig'] {
  // A live endpoint has addresses of its own; what was asked for has no id.
  if ('networkId' in asked) return null
  const { address, address6 } = asked
  const some = address !== undefined || address6 !== undefined || (linkLocal ?? []).length > 0
  if (!some) return null
  return {
    ...(address !== undefined && { IPv4Address: address }),
    ...(address6 !== undefined && { IPv6Address: address6 }),
    ...(linkLocal && linkLocal.length > 0 && { LinkLocalIPs: linkLocal }),
  }
}
