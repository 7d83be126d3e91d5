import type { ContainerRecord, Endpoint } from '#engine'
import type { ContainerJson, EndpointJson, PortJson } from '#wire'

/** NetworkSettings of inspect. */
export function networkSettingsJson(record: ContainerRecord): ContainerJson['NetworkSettings'] {
  const bridge = record.endpoints.find((endpoint) => endpoint.network === 'bridge')
  const first = endpointJson(bridge)
  return {
    Bridge: '',
    SandboxID: '',
    SandboxKey: '',
    Ports: Object.fromEntries(openPorts(record).map((port) => [port, null])),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: first.EndpointID,
    Gateway: first.Gateway,
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: first.IPAddress,
    IPPrefixLen: first.IPPrefixLen,
    IPv6Gateway: '',
    MacAddress: first.MacAddress,
    Networks: networksJson(record),
  }
}

/** Ports of a row of `docker ps`. */
export function portsJson(record: ContainerRecord): readonly PortJson[] {
  return openPorts(record).flatMap((text) => {
    const [range = '', type = 'tcp'] = text.split('/')
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => ({ PrivatePort: from + index, Type: type }))
  })
}

/** A container that is not running keeps its network's name, without an address. */
export function networksJson(record: ContainerRecord): Readonly<Record<string, EndpointJson>> {
  if (record.endpoints.length === 0) return { [record.request.networkMode]: endpointJson(undefined) }
  return Object.fromEntries(record.endpoints.map((endpoint) => [endpoint.network, endpointJson(endpoint)]))
}

/** What is exposed counts as long as the container is in a network of ports. */
function openPorts(record: ContainerRecord): readonly string[] {
  return record.endpoints.some((endpoint) => endpoint.address !== undefined) ? record.exposedPorts : []
}

function endpointJson(endpoint: Endpoint | undefined): EndpointJson {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: endpoint?.macAddress ?? '',
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: endpoint?.networkId ?? '',
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  }
}
