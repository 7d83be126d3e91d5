import type { Endpoint, NetworkRecord } from '#engine'
import type { IpamJson, NetworkContainerJson, NetworkJson } from '#wire'
import { timeText } from '#api/exchange'
import { byKey } from './volume-routes.ts'

/** A container in a network, with its name. */
export interface NamedEndpoint {
  readonly endpoint: Endpoint
  readonly name: string
}

/** A network as list and inspect show it; a list names no containers. */
export function networkJson(network: NetworkRecord, endpoints: readonly NamedEndpoint[]): NetworkJson {
  const isUsers = network.driver !== 'host' && (network.driver !== 'null' || network.configOnly)
  return {
    Name: network.name,
    Id: network.id,
    Created: timeText(network.createdAt),
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: network.ipv4,
    EnableIPv6: network.ipv6,
    IPAM: {
      Driver: network.ipamDriver,
      Options: isUsers && network.name !== 'bridge' ? network.ipamOptions : null,
      Config: network.ipam.length === 0 ? null : network.ipam.map(ipamJson),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? '' },
    ConfigOnly: network.configOnly,
    Containers: Object.fromEntries(
      endpoints.map(({ endpoint, name }) => [endpoint.container, endpointJson(endpoint, name)]),
    ),
    Options: byKey(network.options),
    Labels: byKey(network.labels),
  }
}

function ipamJson({ subnet, ipRange, gateway, auxAddresses }: NetworkRecord['ipam'][number]): IpamJson {
  return {
    Subnet: subnet,
    ...(ipRange !== undefined && { IPRange: ipRange }),
    ...(gateway !== undefined && { Gateway: gateway }),
    ...(Object.keys(auxAddresses).length > 0 && { AuxiliaryAddresses: byKey(auxAddresses) }),
  }
}

function endpointJson(endpoint: Endpoint, name: string): NetworkContainerJson {
  const { address, prefixLength, address6, prefixLength6 } = endpoint
  return {
    Name: name,
    EndpointID: endpoint.id,
    MacAddress: endpoint.macAddress ?? '',
    IPv4Address: address === undefined ? '' : `${address}/${prefixLength ?? 0}`,
    IPv6Address: address6 === undefined ? '' : `${address6}/${prefixLength6 ?? 0}`,
  }
}
