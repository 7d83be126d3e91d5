import { conflict, EngineError, internal, invalid, isKind, messageOf } from '#base'
import type { Endpoint, EndpointRequest, NetworkRecord, Sandbox } from '#network'
import { checkLines, type ContainerRecord, type CreateRequest, isLive } from '#container/record'
import type { LiveLink } from './links.ts'
import { renewNames } from './name-files.ts'
import type { Parts } from './parts.ts'
import { SHARED } from './shared-network.ts'

/** The networks of a request under their own names, the container of `container:` by its id; throws in Docker's words. */
export async function resolveNetworks(parts: Parts, request: CreateRequest): Promise<CreateRequest> {
  const networks: EndpointRequest[] = []
  for (const one of request.networks) {
    const network = await findNetwork(parts, one.network)
    if (network) checkAsked(parts, network, one)
    networks.push(network ? { ...one, network: network.name } : one)
  }
  return { ...request, networks, networkMode: resolveMode(parts, request.networkMode) }
}

function checkAsked(parts: Parts, network: NetworkRecord, request: EndpointRequest): void {
  try {
    parts.networks.check(network, request)
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error
    throw invalid(`invalid config for network ${request.network}: ${error.message}`, { cause: error })
  }
}

function resolveMode({ records }: Parts, mode: string): string {
  if (!mode.startsWith(SHARED)) return mode
  try {
    return `${SHARED}${records.resolve(mode.slice(SHARED.length)).record.id}`
  } catch (error) {
    if (!isKind(error, 'not-found') && !isKind(error, 'invalid')) throw error
    return mode
  }
}

async function findNetwork(parts: Parts, name: string): Promise<NetworkRecord | undefined> {
  try {
    return await parts.networks.get(name)
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
    return undefined
  }
}

/** The sandbox of a container about to start. Throws in Docker's words. */
export async function joinNetworks(
  parts: Parts,
  { id, name, hostname, exposedPorts, request }: ContainerRecord,
  links: readonly LiveLink[],
): Promise<Sandbox> {
  const { networkMode: mode, networks, ports, publishAll, dns } = request
  const container = { container: id, name, hostname, mode, networks, exposedPorts }
  try {
    return await parts.networks.attach({ ...container, ports, publishAll, links, dns })
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    const { kind, message, details } = error
    throw new EngineError(kind, `failed to set up container networking: ${message}`, {
      cause: error,
      ...(details && { details }),
    })
  }
}

/** The networks that a container is to join at its next start. */
function wantedNetworks({ networks, networkMode }: CreateRequest): readonly EndpointRequest[] {
  if (networks.length > 0 || !isJoined(networkMode)) return networks
  return [{ network: networkMode, linkLocal: [], aliases: [], links: [], driverOptions: {}, gwPriority: 0 }]
}

function isJoined(mode: string): boolean {
  return mode !== 'host' && mode !== 'none' && !mode.startsWith(SHARED)
}

/** Joins a network, at once where the container runs. Throws in Docker's words. */
export async function connectContainer(parts: Parts, name: string, asked: EndpointRequest): Promise<void> {
  const { id } = parts.records.resolve(name).record
  checkLines('network alias', asked.aliases)
  checkLines('link', asked.links)
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const network = await parts.networks.get(asked.network)
    refuseConnect(record, network)
    const request = { ...asked, network: network.name }
    if (isLive(record.state)) await change(parts, record, () => connectLive(parts, record, request))
    else parts.networks.check(network, request)
    const known = await parts.networks.list()
    remember(parts, id, (networks) => [...networks.filter((one) => !standsFor(one.network, network, known)), request])
  })
}

function refuseConnect({ id, request, state }: ContainerRecord, network: NetworkRecord): void {
  if (state === 'removing' || state === 'dead')
    throw conflict(`container ${id} is marked for removal and cannot be connected or disconnected to the network`)
  if (network.name === 'host')
    throw invalid('cannot connect container to host network - container must be created in host network mode')
  if (request.networkMode === 'host' || request.networkMode.startsWith(SHARED))
    throw invalid(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    )
  if (network.name === 'none' || wantedNetworks(request).some((one) => one.network === 'none') || isPrivate(request))
    throw invalid('container cannot be connected to multiple networks with one of the networks in private (none) mode')
}

function isPrivate({ networkMode, networks }: CreateRequest): boolean {
  return networkMode === 'none' && networks.length === 0
}

async function connectLive(parts: Parts, record: ContainerRecord, request: EndpointRequest): Promise<void> {
  const { id, name, hostname } = record
  const { dns, ports, publishAll } = record.request
  await parts.networks.connect({ id, name, hostname, dns, publish: { ports, publishAll } }, request)
}

/** What the container room knows and shows of a running container's networks follows a change of them. */
async function change(parts: Parts, record: ContainerRecord, work: () => Promise<void>): Promise<void> {
  const before = await parts.networks.find(record.id)
  await work()
  const after = await parts.networks.find(record.id)
  if (!before || !after) return
  renewNames(parts, record, {
    before: before.endpoints,
    after: after.endpoints,
    resolver: { before: before.resolver, after: after.resolver },
  })
  const { endpoints, ports, path } = after
  parts.records.update(record.id, { endpoints, ports, ...(path !== undefined && { sandboxPath: path }) })
}

function remember(
  parts: Parts,
  id: string,
  edit: (networks: readonly EndpointRequest[]) => readonly EndpointRequest[],
): void {
  const { request } = parts.records.resolve(id).record
  parts.records.update(id, { request: { ...request, networks: edit(wantedNetworks(request)) } })
}

type Named = Pick<NetworkRecord, 'id' | 'name'>

/** Whether a request means this network: by its name, or by the beginning of its id where no network has that for a name. */
export function standsFor(given: string, { id, name }: Named, known: readonly Pick<Named, 'name'>[]): boolean {
  if (given === name) return true
  return given !== '' && id.startsWith(given) && !known.some((one) => one.name === given)
}

export interface Disconnection {
  readonly name: string
  readonly network: string
  readonly force: boolean
}

/** Leaves a network, at once where the container runs. Throws in Docker's words. */
export async function disconnectContainer(parts: Parts, { name, network, force }: Disconnection): Promise<void> {
  const id = idToDisconnect(parts, name, force)
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const left = await parts.networks.get(network)
    if (left.name === 'host')
      throw invalid('cannot disconnect container from host network - container was created in host network mode')
    const known = await parts.networks.list()
    const wanted = wantedNetworks(record.request).some((one) => standsFor(one.network, left, known))
    const joined = record.endpoints.some(({ networkId }) => networkId === left.id)
    if (!wanted && !joined) throw internal(`container ${id} is not connected to network ${left.name}`)
    if (isLive(record.state) && joined)
      await change(parts, record, () => parts.networks.disconnect(id, left.id, { force: true }))
    remember(parts, id, (networks) => networks.filter((one) => !standsFor(one.network, left, known)))
  })
}

function idToDisconnect({ records }: Parts, name: string, force: boolean): string {
  try {
    return records.resolve(name).record.id
  } catch (error) {
    if (!force || !isKind(error, 'not-found')) throw error
    throw new EngineError('not-found', `endpoint ${name} not found`, { cause: error })
  }
}

/** After a start of the daemon: what a connect or disconnect was cut off in is brought to its end. */
export async function settleNetworks(parts: Parts): Promise<void> {
  for (const { record } of parts.records.all()) {
    if (!isLive(record.state)) continue
    try {
      await parts.locks.run(record.id, () => settleOne(parts, record.id))
    } catch (error) {
      parts.log.warn('cannot bring a container back into its networks', { id: record.id, error: messageOf(error) })
    }
  }
}

async function settleOne(parts: Parts, id: string): Promise<void> {
  const { record } = parts.records.resolve(id)
  const sandbox = await parts.networks.find(id)
  if (!sandbox) return
  // Of `none` and `host` there is nothing to join or leave.
  const wanted = isJoined(record.request.networkMode) ? wantedNetworks(record.request) : undefined
  const known = await parts.networks.list()
  const isIn = (endpoint: Endpoint, request: EndpointRequest): boolean =>
    standsFor(request.network, { id: endpoint.networkId, name: endpoint.network }, known)
  const strange = sandbox.endpoints.filter((endpoint) => wanted?.some((request) => isIn(endpoint, request)) === false)
  const missing = wanted?.filter((request) => !sandbox.endpoints.some((endpoint) => isIn(endpoint, request))) ?? []
  await change(parts, record, async () => {
    for (const { networkId } of strange) await parts.networks.disconnect(id, networkId, { force: true })
    for (const request of missing) await connectLive(parts, record, request)
  })
}
