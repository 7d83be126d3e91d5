import { conflict } from '#base'
import type { Database } from '#store/db'
import { parseAddress } from '#network/link'
import { reservedOf } from './ipam.ts'
import {
  endpointFacts,
  factsOf,
  insertEndpoint,
  insertNetwork,
  readEndpoints,
  readNetworks,
  readSandboxes,
  writeSandbox,
} from './rows.ts'
import type { DnsSettings, Endpoint, NetworkRecord, PublishedPort } from './types.ts'

/** An endpoint's record with what only this room needs. */
export interface EndpointRecord extends Endpoint {
  /** The host's end of its veth pair. */
  readonly link?: string
  /** Its link is in place; one that is not was cut off by the end of a daemon. */
  readonly ready: boolean
}

/** A container's network namespace, or its use of the host's. */
export interface SandboxRecord {
  readonly container: string
  readonly host: boolean
  readonly name: string
  readonly hostname: string
  readonly dns: DnsSettings
  /** What it may reach on the default bridge though containers there may not reach each other. */
  readonly openings: readonly { readonly address: string; readonly ports: readonly string[] }[]
  readonly exposedPorts: readonly string[]
  readonly ports: readonly PublishedPort[]
}

/** The rows of this room, in memory and in the database; each change is in the database first. */
export interface NetworkRecords {
  add(network: NetworkRecord): void
  replace(network: NetworkRecord): void
  remove(id: string): void
  /** By name, id or unique prefix of the id; throws `conflict` where that is ambiguous. */
  find(nameOrId: string): NetworkRecord | undefined
  /** By name. */
  list(): readonly NetworkRecord[]
  /** Sandbox and endpoints at once. */
  addSandbox(sandbox: SandboxRecord, endpoints: readonly EndpointRecord[]): void
  addEndpoint(endpoint: EndpointRecord): void
  replaceEndpoint(endpoint: EndpointRecord): void
  removeEndpoint(endpoint: EndpointRecord): void
  /** With its endpoints and ports. */
  removeSandbox(container: string): void
  replaceSandbox(sandbox: SandboxRecord): void
  findSandbox(container: string): SandboxRecord | undefined
  sandboxes(): readonly SandboxRecord[]
  /** In the order in which they were joined. */
  endpointsOf(container: string): readonly EndpointRecord[]
  endpointsIn(network: string): readonly EndpointRecord[]
  /** Every address that the network cannot give out now. */
  taken(network: NetworkRecord, family: 4 | 6): ReadonlySet<bigint>
}

export function createRecords(db: Database): NetworkRecords {
  const networks = new Map(readNetworks(db).map((network) => [network.id, network]))
  const sandboxes = new Map(readSandboxes(db).map((sandbox) => [sandbox.container, sandbox]))
  const endpoints = new Map<string, EndpointRecord>()
  const byContainer = createIndex()
  const byNetwork = createIndex()
  const keep = (endpoint: EndpointRecord): void => {
    endpoints.set(endpoint.id, endpoint)
    byContainer.add(endpoint.container, endpoint.id)
    byNetwork.add(endpoint.networkId, endpoint.id)
  }
  const forget = ({ id, container, networkId }: EndpointRecord): void => {
    endpoints.delete(id)
    byContainer.delete(container, id)
    byNetwork.delete(networkId, id)
  }
  const those = (ids: Iterable<string>): readonly EndpointRecord[] => [...ids].flatMap((id) => endpoints.get(id) ?? [])
  for (const endpoint of readEndpoints(db, networks)) keep(endpoint)
  const list = (): readonly NetworkRecord[] => [...networks.values()].toSorted(byName)
  const endpointsOf = (container: string) => those(byContainer.of(container)).toSorted(byInterface)
  const endpointsIn = (network: string) => those(byNetwork.of(network))
  return {
    add(network) {
      insertNetwork(db, network)
      networks.set(network.id, network)
    },
    replace(network) {
      db.run('UPDATE network_network SET bridge = ?, facts = ? WHERE id = ?', ...factsOf(network), network.id)
      networks.set(network.id, network)
    },
    remove(id) {
      db.run('DELETE FROM network_network WHERE id = ?', id)
      networks.delete(id)
    },
    find: (nameOrId) => findNetwork(list(), nameOrId),
    list,
    addSandbox(sandbox, added) {
      db.transaction(() => {
        writeSandbox(db, sandbox)
        for (const endpoint of added) insertEndpoint(db, endpoint)
      })
      sandboxes.set(sandbox.container, sandbox)
      for (const endpoint of added) keep(endpoint)
    },
    addEndpoint(endpoint) {
      insertEndpoint(db, endpoint)
      keep(endpoint)
    },
    replaceEndpoint(endpoint) {
      const { id, ready } = endpoint
      db.run(
        'UPDATE network_endpoint SET ready = ?, facts = ? WHERE id = ?',
        Number(ready),
        endpointFacts(endpoint),
        id,
      )
      endpoints.set(id, endpoint)
    },
    removeEndpoint(endpoint) {
      db.run('DELETE FROM network_endpoint WHERE id = ?', endpoint.id)
      forget(endpoint)
    },
    removeSandbox(container) {
      db.transaction(() => {
        for (const table of ['network_port', 'network_endpoint', 'network_sandbox'])
          db.run(`DELETE FROM ${table} WHERE container = ?`, container)
      })
      for (const endpoint of endpointsOf(container)) forget(endpoint)
      sandboxes.delete(container)
    },
    replaceSandbox(sandbox) {
      db.transaction(() => writeSandbox(db, sandbox))
      sandboxes.set(sandbox.container, sandbox)
    },
    findSandbox: (container) => sandboxes.get(container),
    sandboxes: () => [...sandboxes.values()],
    endpointsOf,
    endpointsIn,
    taken(network, family) {
      const texts = endpointsIn(network.id).map((one) => (family === 4 ? one.address : one.address6))
      return new Set([
        ...reservedOf(network, family),
        ...texts.flatMap((text) => parseAddress(text ?? '')?.value ?? []),
      ])
    },
  }
}

/** Ids by what they belong to. */
function createIndex() {
  const sets = new Map<string, Set<string>>()
  return {
    of: (key: string): Iterable<string> => sets.get(key) ?? [],
    add(key: string, id: string): void {
      const known = sets.get(key)
      if (known) known.add(id)
      else sets.set(key, new Set([id]))
    },
    delete(key: string, id: string): void {
      const known = sets.get(key)
      known?.delete(id)
      if (known?.size === 0) sets.delete(key)
    },
  }
}

function findNetwork(all: readonly NetworkRecord[], nameOrId: string): NetworkRecord | undefined {
  const named = all.find((one) => one.id === nameOrId) ?? all.find((one) => one.name === nameOrId)
  if (named) return named
  const short = /^[0-9a-f]+$/.test(nameOrId) ? all.filter((one) => one.id.startsWith(nameOrId)) : []
  if (short.length > 1)
    throw conflict(`network ${nameOrId} is ambiguous (${short.length} matches found based on ID prefix)`)
  return short[0]
}

function byName(one: NetworkRecord, other: NetworkRecord): number {
  return one.name < other.name ? -1 : 1
}

function byInterface(one: EndpointRecord, other: EndpointRecord): number {
  return (one.interface ?? '').localeCompare(other.interface ?? '', 'en', { numeric: true })
}
