import { EngineError, forbidden, invalid, systemClock } from '#base'
import type { Engine, NetworkRecord, NetworkRequest } from '#engine'
import {
  checkFilterNames,
  filterFinds,
  filterHas,
  filterLabels,
  type Filters,
  type NetworkBody,
  parseConnectBody,
  parseDisconnectBody,
  parseNetworkBody,
} from '#wire'
import { type Exchange, type Route, type SmallExchange, untilOf } from '#api/exchange'
import { checkMac, endpointRequest, plainEndpoint } from './endpoint-request.ts'
import { networkJson } from './network-json.ts'

const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'label!', 'name', 'scope', 'type']
const PRUNE_FILTERS = ['label', 'label!', 'until']

type NetworkParts = Pick<Engine, 'networks' | 'containers'>

/** Networks, and who is in them. */
export function networkRoutes(engine: NetworkParts): readonly Route[] {
  const clock = systemClock()
  return [
    { method: 'GET', pattern: '/networks', isSmall: true, handle: (exchange) => list(engine, exchange) },
    { method: 'GET', pattern: '/networks/', handle: (exchange) => list(engine, exchange) },
    { method: 'POST', pattern: '/networks/create', handle: (exchange) => create(engine, exchange) },
    { method: 'POST', pattern: '/networks/prune', handle: (exchange) => prune(engine, exchange, clock.nanoseconds()) },
    { method: 'GET', pattern: '/networks/{id}', isSmall: true, handle: (exchange) => inspect(engine, exchange) },
    { method: 'DELETE', pattern: '/networks/{id}', handle: (exchange) => remove(engine, exchange) },
    { method: 'POST', pattern: '/networks/{id}/connect', handle: (exchange) => connect(engine, exchange) },
    { method: 'POST', pattern: '/networks/{id}/disconnect', handle: (exchange) => disconnect(engine, exchange) },
  ]
}

async function list(engine: NetworkParts, { query, reply }: SmallExchange): Promise<void> {
  const filters = query.filters()
  checkFilters(filters)
  const used = new Set(
    (await engine.containers.list()).flatMap(({ endpoints }) => endpoints.map((one) => one.networkId)),
  )
  const found = (await engine.networks.list()).filter((network) => isWanted(filters, network, used.has(network.id)))
  reply(
    200,
    found.map((network) => networkJson(network, [])),
  )
}

function checkFilters(filters: Filters): void {
  checkFilterNames(filters, LIST_FILTERS)
  const dangling = filters.get('dangling') ?? []
  if (dangling.length > 1 || dangling.some((value) => danglingFlag(value) === undefined)) {
    throw invalid(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`)
  }
  const type = filters.get('type')?.find((value) => value !== 'custom' && value !== 'builtin')
  if (type !== undefined) throw invalid(`invalid filter: 'type'='${type}'`)
}

function danglingFlag(value: string | undefined): boolean | undefined {
  if (value === 'true' || value === '1') return true
  return value === 'false' || value === '0' ? false : undefined
}

function isWanted(filters: Filters, network: NetworkRecord, isUsed: boolean): boolean {
  const dangling = danglingFlag(filters.get('dangling')?.[0])
  const isBuiltIn = isPredefined(network)
  return (
    filterFinds(filters, 'name', network.name) &&
    filterFinds(filters, 'id', network.id) &&
    filterHas(filters, 'driver', network.driver) &&
    filterHas(filters, 'scope', 'local') &&
    filterHas(filters, 'type', isBuiltIn ? 'builtin' : 'custom') &&
    (dangling === undefined || dangling === (!isBuiltIn && !isUsed)) &&
    filterLabels(filters, network.labels)
  )
}

function isPredefined({ name }: NetworkRecord): boolean {
  return ['bridge', 'host', 'none'].includes(name)
}

async function inspect(engine: NetworkParts, { param, query, reply }: SmallExchange): Promise<void> {
  const network = await engine.networks.get(param('id'))
  const scope = query.text('scope') ?? network.scope
  if (scope !== network.scope) throw new EngineError('not-found', `network ${param('id')} not found`)
  const names = new Map((await engine.containers.list()).map(({ id, name }) => [id, name]))
  const endpoints = (await engine.networks.endpoints(network.id)).map((endpoint) => ({
    endpoint,
    name: names.get(endpoint.container) ?? '',
  }))
  reply(200, networkJson(network, endpoints))
}

async function create({ networks }: NetworkParts, { json, reply }: Exchange): Promise<void> {
  const { id, warnings } = await networks.create(networkRequest(parseNetworkBody(await json())))
  reply(201, { Id: id, Warning: warnings.join('\n') })
}

function networkRequest(body: NetworkBody): NetworkRequest {
  if (body.Ingress === true) throw forbidden('Ingress network can only be global scope network')
  if (body.Scope === 'swarm') throw forbidden('cannot create a swarm scoped network when swarm is not active')
  if (body.Driver === 'overlay') throw invalid(NO_SWARM)
  return {
    name: body.Name,
    ...(body.Driver && { driver: body.Driver }),
    internal: body.Internal === true,
    attachable: body.Attachable === true,
    ...(typeof body.EnableIPv4 === 'boolean' && { ipv4: body.EnableIPv4 }),
    ...(typeof body.EnableIPv6 === 'boolean' && { ipv6: body.EnableIPv6 }),
    ...ipamRequest(body.IPAM),
    labels: body.Labels,
    options: body.Options,
    ...(body.ConfigOnly === true && { configOnly: true }),
    ...(body.ConfigFrom?.Network && { configFrom: body.ConfigFrom.Network }),
  }
}

function ipamRequest(given: NetworkBody['IPAM']): Pick<NetworkRequest, 'ipam' | 'ipamDriver' | 'ipamOptions'> {
  return {
    ipam: (given?.Config ?? []).map(({ Subnet, Gateway, IPRange, AuxiliaryAddresses }) => ({
      ...(Subnet && { subnet: Subnet }),
      ...(Gateway && { gateway: Gateway }),
      ...(IPRange && { ipRange: IPRange }),
      auxAddresses: AuxiliaryAddresses,
    })),
    ...(given?.Driver && { ipamDriver: given.Driver }),
    ipamOptions: given?.Options ?? {},
  }
}

const NO_SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'

async function remove({ networks }: NetworkParts, { param, reply }: Exchange): Promise<void> {
  const network = await networks.get(param('id'))
  if (isPredefined(network)) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`)
  await networks.remove(network.id)
  reply(204)
}

async function prune({ networks }: NetworkParts, { query, reply }: Exchange, now: bigint): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, PRUNE_FILTERS)
  const before = untilOf(filters, now)
  const removed = await networks.prune(
    (network) => !filterLabels(filters, network.labels) || (before !== undefined && network.createdAt > before),
  )
  reply(200, { NetworksDeleted: removed.length > 0 ? removed.map(({ name }) => name) : null })
}

async function connect({ networks, containers }: NetworkParts, { param, json, reply }: Exchange): Promise<void> {
  const { Container, EndpointConfig } = parseConnectBody(await json())
  const network = await networks.get(param('id'))
  const request = EndpointConfig ? endpointRequest(network.name, EndpointConfig) : plainEndpoint(network.name)
  checkMac(request)
  await containers.connect(Container, request)
  reply(200)
}

async function disconnect({ networks, containers }: NetworkParts, { param, json, reply }: Exchange): Promise<void> {
  const { Container, Force } = parseDisconnectBody(await json())
  const { id, state } = await containers.get(Container)
  const network = (await networks.list()).find((one) => one.name === param('id') || one.id === param('id'))
  // Of one that does not run only its own list is looked at.
  if (!network && state === 'running') throw new EngineError('not-found', `network ${param('id')} not found`)
  if (!network) throw invalid(`container ${id} is not connected to the network ${param('id')}`)
  await containers.disconnect(id, network.name, { force: Force === true })
  reply(200)
}
