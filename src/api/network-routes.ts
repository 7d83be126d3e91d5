import { forbidden, unsupported } from '#base'
import type { Endpoint, Engine, NetworkRecord } from '#engine'
import {
  checkFilterNames,
  filterFlag,
  filterHas,
  filterLabels,
  type Filters,
  type NetworkContainerJson,
  type NetworkJson,
} from '#wire'
import type { Exchange } from './exchange.ts'
import type { Route } from './route.ts'
import { timeText } from './time-text.ts'

const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'label!', 'name', 'scope', 'type']
const PRUNE_FILTERS = ['label', 'label!', 'until']

type NetworkParts = Pick<Engine, 'networks' | 'containers'>

export function networkRoutes(engine: NetworkParts): readonly Route[] {
  return [
    { method: 'GET', pattern: '/networks', handle: (exchange) => list(engine, exchange) },
    { method: 'POST', pattern: '/networks/create', handle: notYet('docker network create') },
    { method: 'POST', pattern: '/networks/prune', handle: (exchange) => prune(engine, exchange) },
    {
      method: 'GET',
      pattern: '/networks/{id}',
      handle: async ({ param, reply }) => reply(200, await networkJson(engine, await engine.networks.get(param('id')))),
    },
    { method: 'DELETE', pattern: '/networks/{id}', handle: (exchange) => remove(engine, exchange) },
    { method: 'POST', pattern: '/networks/{id}/connect', handle: notYet('docker network connect') },
    { method: 'POST', pattern: '/networks/{id}/disconnect', handle: notYet('docker network disconnect') },
  ]
}

function notYet(command: string): () => never {
  return () => {
    throw unsupported(`${command}: not yet carried out by mica, which has the networks bridge, host and none`)
  }
}

async function list(engine: NetworkParts, { query, reply }: Exchange): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, LIST_FILTERS)
  const found = (await engine.networks.list()).filter((network) => isWanted(filters, network))
  reply(200, await Promise.all(found.map((network) => networkJson(engine, network))))
}

function isWanted(filters: Filters, network: NetworkRecord): boolean {
  const within = (name: string, text: string): boolean => {
    const wanted = filters.get(name) ?? []
    return wanted.length === 0 || wanted.some((part) => text.includes(part))
  }
  return (
    within('name', network.name) &&
    within('id', network.id) &&
    filterHas(filters, 'driver', network.driver) &&
    filterHas(filters, 'scope', 'local') &&
    filterHas(filters, 'type', 'builtin') &&
    filterFlag(filters, 'dangling', false) === false &&
    filterLabels(filters, network.labels)
  )
}

async function remove({ networks }: NetworkParts, { param }: Exchange): Promise<void> {
  const { name } = await networks.get(param('id'))
  throw forbidden(`${name} is a pre-defined network and cannot be removed`)
}

async function prune({ networks }: NetworkParts, { query, reply }: Exchange): Promise<void> {
  checkFilterNames(query.filters(), PRUNE_FILTERS)
  const removed = await networks.prune(() => false)
  reply(200, { NetworksDeleted: removed.length > 0 ? removed.map(({ name }) => name) : null })
}

async function networkJson({ networks, containers }: NetworkParts, network: NetworkRecord): Promise<NetworkJson> {
  const endpoints = await networks.endpoints(network.id)
  const names = new Map((await containers.list()).map(({ id, name }) => [id, name]))
  const { subnet, gateway } = network
  return {
    Name: network.name,
    Id: network.id,
    Created: timeText(network.createdAt),
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: subnet === undefined ? null : [{ Subnet: subnet, ...(gateway !== undefined && { Gateway: gateway }) }],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      endpoints.map((endpoint) => [endpoint.container, endpointJson(endpoint, names.get(endpoint.container) ?? '')]),
    ),
    Options: network.options,
    Labels: network.labels,
  }
}

function endpointJson(endpoint: Endpoint, name: string): NetworkContainerJson {
  const { address, prefixLength } = endpoint
  return {
    Name: name,
    EndpointID: endpoint.id,
    MacAddress: endpoint.macAddress ?? '',
    IPv4Address: address === undefined ? '' : `${address}/${prefixLength ?? 0}`,
    IPv6Address: '',
  }
}
