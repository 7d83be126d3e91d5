import { existsSync } from 'node:fs'
import { conflict } from '#base'
import { removeNetworkNamespace } from '#kernel'
import { closePorts } from './bridge.ts'
import { checkJoinable, newEndpoint, type Wanted, wantedOf } from './joining.ts'
import { getNetwork, type Parts } from './parts.ts'
import { plugOf, type Rooted, waysOf } from './plugs.ts'
import type { EndpointRecord, NetworkRecords, SandboxRecord } from './records.ts'
import { openSandbox, unplug } from './sandbox.ts'
import type { AttachRequest } from './types.ts'

/** Makes a container's sandbox; the caller holds its lock. Undone where it fails. */
export async function attachSandbox(parts: Parts, request: AttachRequest): Promise<void> {
  const { container } = request
  const wanted = wantedOf(request, (name) => getNetwork(parts.records, name))
  for (const { network } of wanted) checkJoinable(network)
  if (parts.records.findSandbox(container)) await undoSandbox(parts, container)
  try {
    const rooted = await parts.lock.run('', () => book(parts, request, wanted))
    if (!hostOnly(wanted)) openSandbox(freshPath(parts, container), rooted.map(plugOf), waysOf(rooted))
    await parts.reach.publish(container, request)
    await parts.reach.settle(container)
    await parts.reach.settleNames(wanted.map(({ network }) => network.id))
  } catch (error) {
    await undoSandbox(parts, container)
    throw error
  }
  for (const { network } of wanted) parts.tell('connect', network, container)
}

function hostOnly(wanted: readonly Wanted[]): boolean {
  return wanted.some(({ network }) => network.driver === 'host')
}

/** The records of a sandbox and its endpoints, whose networks' links are there then; the caller holds the lock of networks. */
async function book(parts: Parts, request: AttachRequest, wanted: readonly Wanted[]): Promise<readonly Rooted[]> {
  const { records } = parts
  // One that was removed meanwhile must not get a link again.
  const roots = await parts.roots.open(wanted.map(({ network }) => getNetwork(records, network.id)))
  const sandbox = sandboxRecord(records, request, wanted)
  const interfaces = new Set<string>()
  // A network may have got another block when its link was made.
  const current = wanted.map((one) => ({ ...one, network: getNetwork(records, one.network.id) }))
  const endpoints = current.map((one) => {
    const endpoint = newEndpoint(records, { ...one, sandbox, interfaces })
    interfaces.add(endpoint.interface ?? '')
    return endpoint
  })
  records.addSandbox(sandbox, endpoints)
  return endpoints.flatMap((endpoint, index) => {
    const [network, root] = [current[index]?.network, roots.get(endpoint.networkId)]
    return network && root ? [{ endpoint, network, root }] : []
  })
}

function sandboxRecord(records: NetworkRecords, request: AttachRequest, wanted: readonly Wanted[]): SandboxRecord {
  const { container, name, hostname, dns, links, exposedPorts } = request
  const openings = openingsOf(records, links)
  return { container, host: hostOnly(wanted), name, hostname, dns, openings, exposedPorts, ports: [] }
}

/** The exposed ports of linked containers, where these are now. */
export function openingsOf(records: NetworkRecords, links: AttachRequest['links']): SandboxRecord['openings'] {
  return links.flatMap(({ container: linked }) => {
    const { address } = records.endpointsOf(linked).find(({ network }) => network === 'bridge') ?? {}
    return address === undefined ? [] : [{ address, ports: records.findSandbox(linked)?.exposedPorts ?? [] }]
  })
}

/** The path of a new namespace; a file that a lost mount namespace left there goes first. */
function freshPath(parts: Parts, container: string): string {
  const path = parts.pathOf(container)
  if (existsSync(path)) removeNetworkNamespace(path)
  return path
}

/** Drops the namespace; the kernel removes what is in it behind it. Then the records. Fine where there is nothing. */
export async function undoSandbox(parts: Parts, container: string): Promise<readonly EndpointRecord[]> {
  const { records, reach } = parts
  if (!records.findSandbox(container)) return []
  const endpoints = records.endpointsOf(container)
  await reach.drop(container)
  closePorts(endpoints.flatMap(({ link }) => link ?? []))
  const path = parts.pathOf(container)
  if (existsSync(path)) await takeOut(parts, path, endpoints)
  removeNetworkNamespace(path)
  records.removeSandbox(container)
  await reach.settleNames(endpoints.map(({ networkId }) => networkId))
  return endpoints
}

/** A macvlan or ipvlan that is still there would keep its address from the next container. */
async function takeOut(parts: Parts, path: string, endpoints: readonly EndpointRecord[]): Promise<void> {
  for (const { networkId, interface: inside } of endpoints) {
    const driver = parts.records.find(networkId)?.driver
    if ((driver === 'macvlan' || driver === 'ipvlan') && inside !== undefined) await unplug(path, inside)
  }
}

/** Throws in Docker's words where a container that is to share a sandbox has none. */
export function sharedSandbox(parts: Parts, container: string): string {
  const sandbox = parts.records.findSandbox(container)
  if (!sandbox) throw conflict(`cannot join network namespace of a non running container: container ${container}`)
  return sandbox.container
}
