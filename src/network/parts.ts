import { EngineError, type KeyedLock, type Log } from '#base'
import type { LinkFacts } from '#network/link'
import type { Reach } from './reach.ts'
import type { EndpointRecord, NetworkRecords } from './records.ts'
import type { Endpoint, NetworkRecord, Sandbox } from './types.ts'

/** What the parts of the room share. */
export interface Parts {
  readonly records: NetworkRecords
  readonly reach: Reach
  readonly roots: Roots
  /** One change of one container at a time; of networks and addresses, by the key ''. */
  readonly lock: KeyedLock
  readonly log: Log
  /** The namespace file of a container. */
  readonly pathOf: (container: string) => string
  readonly tell: (action: 'connect' | 'disconnect', network: NetworkRecord, container: string) => void
}

/** The links on the host that networks stand on. */
export interface Roots {
  /** Makes them where they are missing, with the rules for all; the caller holds the lock of networks. */
  open(networks: readonly NetworkRecord[]): Promise<ReadonlyMap<string, LinkFacts>>
  /** Takes a network's link and rules away. */
  remove(network: NetworkRecord): Promise<void>
  /** Takes links away when the rules are gone already. */
  removeAll(networks: readonly NetworkRecord[]): Promise<void>
}

/** Throws `not-found` in Docker's words. */
export function getNetwork(records: NetworkRecords, nameOrId: string): NetworkRecord {
  const found = records.find(nameOrId)
  if (!found) throw new EngineError('not-found', `network ${nameOrId} not found`)
  return found
}

/** What others see of a container's sandbox. */
export function sandboxOf(parts: Parts, container: string): Sandbox | undefined {
  const sandbox = parts.records.findSandbox(container)
  if (!sandbox) return undefined
  const endpoints = parts.records.endpointsOf(container)
  const facts = {
    endpoints: endpoints.map(publicEndpoint),
    ports: sandbox.ports,
    resolver: !sandbox.host && parts.reach.hasResolver(endpoints),
  }
  return sandbox.host ? facts : { path: parts.pathOf(container), ...facts }
}

export function publicEndpoint({ link: _link, ready: _ready, ...endpoint }: EndpointRecord): Endpoint {
  return endpoint
}
