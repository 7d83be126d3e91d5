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
  return new StoredRecords(db)
}

class StoredRecords implements NetworkRecords {
  readonly #db: Database
  readonly #networks: Map<string, NetworkRecord>
  readonly #sandboxes: Map<string, SandboxRecord>
  readonly #endpoints = new Map<string, EndpointRecord>()
  readonly #byContainer = createIndex()
  readonly #byNetwork = createIndex()

  constructor(db: Database) {
    this.#db = db
    this.#networks = new Map(readNetworks(db).map((network) => [network.id, network]))
    this.#sandboxes = new Map(readSandboxes(db).map((sandbox) => [sandbox.container, sandbox]))
    for (const endpoint of readEndpoints(db, this.#networks)) this.#keep(endpoint)
  }

  add(network: NetworkRecord): void {
    insertNetwork(this.#db, network)
    this.#networks.set(network.id, network)
  }

  replace(network: NetworkRecord): void {
    this.#db.run('UPDATE network_network SET bridge = ?, facts = ? WHERE id = ?', ...factsOf(network), network.id)
    this.#networks.set(network.id, network)
  }

  remove(id: string): void {
    this.#db.run('DELETE FROM network_network WHERE id = ?', id)
    this.#networks.delete(id)
  }

  find(nameOrId: string): NetworkRecord | undefined {
    return this.#networks.get(nameOrId) ?? findNetwork(this.list(), nameOrId)
  }

  list(): readonly NetworkRecord[] {
    return [...this.#networks.values()].toSorted(byName)
  }

  addSandbox(sandbox: SandboxRecord, endpoints: readonly EndpointRecord[]): void {
    this.#db.transaction(() => {
      writeSandbox(this.#db, sandbox)
      for (const endpoint of endpoints) insertEndpoint(this.#db, endpoint)
    })
    this.#sandboxes.set(sandbox.container, sandbox)
    for (const endpoint of endpoints) this.#keep(endpoint)
  }

  addEndpoint(endpoint: EndpointRecord): void {
    insertEndpoint(this.#db, endpoint)
    this.#keep(endpoint)
  }

  replaceEndpoint(endpoint: EndpointRecord): void {
    const { id, ready } = endpoint
    const facts = endpointFacts(endpoint)
    this.#db.run('UPDATE network_endpoint SET ready = ?, facts = ? WHERE id = ?', Number(ready), facts, id)
    this.#endpoints.set(id, endpoint)
  }

  removeEndpoint(endpoint: EndpointRecord): void {
    this.#db.run('DELETE FROM network_endpoint WHERE id = ?', endpoint.id)
    this.#forget(endpoint)
  }

  removeSandbox(container: string): void {
    this.#db.transaction(() => {
      for (const table of ['network_port', 'network_endpoint', 'network_sandbox'])
        this.#db.run(`DELETE FROM ${table} WHERE container = ?`, container)
    })
    for (const endpoint of this.endpointsOf(container)) this.#forget(endpoint)
    this.#sandboxes.delete(container)
  }

  replaceSandbox(sandbox: SandboxRecord): void {
    this.#db.transaction(() => writeSandbox(this.#db, sandbox))
    this.#sandboxes.set(sandbox.container, sandbox)
  }

  findSandbox(container: string): SandboxRecord | undefined {
    return this.#sandboxes.get(container)
  }

  sandboxes(): readonly SandboxRecord[] {
    return [...this.#sandboxes.values()]
  }

  endpointsOf(container: string): readonly EndpointRecord[] {
    return this.#those(this.#byContainer.of(container)).toSorted(byInterface)
  }

  endpointsIn(network: string): readonly EndpointRecord[] {
    return this.#those(this.#byNetwork.of(network))
  }

  taken(network: NetworkRecord, family: 4 | 6): ReadonlySet<bigint> {
    const texts = this.endpointsIn(network.id).map((one) => (family === 4 ? one.address : one.address6))
    const values = texts.flatMap((text) => parseAddress(text ?? '')?.value ?? [])
    return new Set([...reservedOf(network, family), ...values])
  }

  #keep(endpoint: EndpointRecord): void {
    this.#endpoints.set(endpoint.id, endpoint)
    this.#byContainer.add(endpoint.container, endpoint.id)
    this.#byNetwork.add(endpoint.networkId, endpoint.id)
  }

  #forget({ id, container, networkId }: EndpointRecord): void {
    this.#endpoints.delete(id)
    this.#byContainer.delete(container, id)
    this.#byNetwork.delete(networkId, id)
  }

  #those(ids: Iterable<string>): readonly EndpointRecord[] {
    return [...ids].flatMap((id) => this.#endpoints.get(id) ?? [])
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
