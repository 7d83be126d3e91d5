import { EngineError, forbidden } from '#base'
import { checkEndpoint } from './ipam-check.ts'
import { checkJoinable, newEndpoint } from './joining.ts'
import { getNetwork, type Parts } from './parts.ts'
import { plugOf, type Rooted, waysOf } from './plugs.ts'
import { membersOf } from './reach.ts'
import type { EndpointRecord, SandboxRecord } from './records.ts'
import { plugInto, setWays, unplug } from './sandbox.ts'
import type { AttachedContainer, EndpointRequest } from './types.ts'

/** Adds a link to a sandbox; the caller holds the container's lock. Undone where it fails. */
export async function connectSandbox(
  parts: Parts,
  container: AttachedContainer,
  request: EndpointRequest,
): Promise<EndpointRecord> {
  const { records } = parts
  const sandbox = sandboxToChange(parts, container.id)
  const rooted = await parts.lock.run('', () => bookOne(parts, sandbox, request))
  const { endpoint, network } = rooted
  try {
    await plugInto(parts.pathOf(container.id), plugOf(rooted))
    await publishFirst(parts, container)
    records.replaceEndpoint({ ...endpoint, ready: true })
    redirect(parts, container.id)
    await settle(parts, endpoint)
  } catch (error) {
    await pullOut(parts, endpoint)
    throw error
  }
  parts.tell('connect', network, container.id)
  return { ...endpoint, ready: true }
}

/** Ports that nothing led to before. */
async function publishFirst({ records, reach }: Parts, { id, publish }: AttachedContainer): Promise<void> {
  const { ports = [], exposedPorts = [] } = records.findSandbox(id) ?? {}
  if (publish && ports.length === 0) await reach.publish(id, { ...publish, exposedPorts })
}

function sandboxToChange(parts: Parts, container: string): SandboxRecord {
  const sandbox = parts.records.findSandbox(container)
  if (!sandbox) throw new EngineError('conflict', `container ${container} is not running`)
  if (sandbox.host)
    throw forbidden(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    )
  return sandbox
}

async function bookOne(parts: Parts, sandbox: SandboxRecord, request: EndpointRequest): Promise<Rooted> {
  const { records } = parts
  const found = getNetwork(records, request.network)
  checkJoinable(found)
  checkEndpoint(found, request)
  const joined = records.endpointsOf(sandbox.container)
  if (joined.some(({ networkId }) => networkId === found.id))
    throw forbidden(`endpoint with name ${sandbox.name} already exists in network ${found.name}`)
  const root = (await parts.roots.open([found])).get(found.id)
  if (!root) throw forbidden(`container cannot be connected to the network ${found.name}`)
  const network = getNetwork(records, found.id)
  const interfaces = new Set(joined.flatMap((endpoint) => endpoint.interface ?? []))
  const endpoint = { ...newEndpoint(records, { network, request, sandbox, interfaces }), ready: false }
  records.addEndpoint(endpoint)
  return { endpoint, network, root }
}

/** Takes a link out of a sandbox; false where it has none in the network. The caller holds the container's lock. */
export async function disconnectSandbox(parts: Parts, container: string, network: string): Promise<boolean> {
  const found = getNetwork(parts.records, network)
  const endpoint = parts.records.endpointsOf(container).find(({ networkId }) => networkId === found.id)
  if (!endpoint) return false
  parts.records.replaceEndpoint({ ...endpoint, ready: false })
  await pullOut(parts, endpoint)
  parts.tell('disconnect', found, container)
  return true
}

/** An endpoint's link and record go; routes, rules and names follow. */
async function pullOut(parts: Parts, endpoint: EndpointRecord): Promise<void> {
  await cutOff(parts, endpoint)
  await settle(parts, endpoint)
}

/** An endpoint's link, record and routes go, and ports that only it led to; rules and names are still to be settled. */
export async function cutOff(parts: Parts, endpoint: EndpointRecord): Promise<void> {
  const { container, interface: inside } = endpoint
  if (inside !== undefined) await unplug(parts.pathOf(container), inside)
  parts.records.removeEndpoint(endpoint)
  parts.reach.withdraw(container)
  redirect(parts, container)
}

function redirect({ records, pathOf }: Parts, container: string): void {
  setWays(pathOf(container), waysOf(membersOf(records, container)))
}

async function settle({ reach }: Parts, { container, networkId }: EndpointRecord): Promise<void> {
  await reach.settle(container)
  await reach.settleNames([networkId])
}
