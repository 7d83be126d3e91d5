import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, conflict, createKeyedLock, forbidden, type Log, longId } from '#base'
import type { EventBus } from '#event'
import { createFirewall, createPorts } from '#network/filter'
import type { Database } from '#store/db'
import type { Switchboard } from '#switchboard'
import { attachSandbox, openingsOf, sharedSandbox, undoSandbox } from './attaching.ts'
import { clearAddresses, findBridge, portsOf, usedBlocks } from './bridge.ts'
import { defaultBridge } from './defaults.ts'
import { defineNetwork } from './definition.ts'
import { checkEndpoint } from './ipam-check.ts'
import { renamed } from './joining.ts'
import { connectSandbox, disconnectSandbox } from './live.ts'
import { bridgeNames } from './names.ts'
import { getNetwork, type Parts, publicEndpoint, sandboxOf } from './parts.ts'
import { parsePool } from './pools.ts'
import { createReach } from './reach.ts'
import { createRecords } from './records.ts'
import { restoreNetworks } from './restoring.ts'
import { createRoots, planRoot } from './roots.ts'
import { PLAIN } from './rows.ts'
import type {
  AttachedContainer,
  AttachRequest,
  Endpoint,
  EndpointRequest,
  NetworkRecord,
  NetworkRequest,
  Networks,
  NetworkSettings,
  Sandbox,
} from './types.ts'

export interface NetworksOptions extends NetworkSettings {
  readonly db: Database
  /** Namespace files go to `<execRoot>/netns`; the default bridge is named after it. */
  readonly execRoot: string
  /** Who answers names in containers; nobody where absent. */
  readonly switchboard?: Switchboard | undefined
  readonly clock: Clock
  readonly log: Log
  readonly events?: Pick<EventBus, 'emit'>
}

/**
 * The three predefined networks and those of users. The default bridge is made with the first container on it, others
 * with their network. Throws `conflict` for an impossible `bip`.
 */
export function openNetworks(options: NetworksOptions): Networks {
  const { bridge, table } = bridgeNames(options.execRoot)
  const records = createRecords(options.db)
  const folder = join(options.execRoot, 'netns')
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  const pathOf = (container: string): string => join(folder, container)
  const { log, switchboard } = options
  const firewall = createFirewall({ table, log })
  const ports = createPorts({ publishDefault: options.publishDefault, log })
  const reach = createReach({ records, firewall, ports, switchboard, pathOf })
  const roots = createRoots({ records, reach, pools: options.addressPools?.map(parsePool) })
  const tell: Parts['tell'] = (action, { id, name, driver }, container) => {
    options.events?.emit({ type: 'network', action, actor: { id, attributes: { container, name, type: driver } } })
  }
  const parts = { records, reach, roots, lock: createKeyedLock(), log, pathOf, tell }
  prepare(parts, options, bridge)
  return new HostNetworks(parts, options, { folder, stop: () => firewall[Symbol.dispose]() })
}

/** The predefined networks are what the flags say. */
function prepare({ records }: Parts, options: NetworksOptions, bridge: string): void {
  const { clock, addressPools } = options
  const pools = addressPools?.map(parsePool)
  for (const [name, driver] of [
    ['host', 'host'],
    ['none', 'null'],
  ] as const) {
    if (!records.find(name)) records.add({ ...PLAIN, id: longId(), name, driver, createdAt: clock.nanoseconds() })
  }
  const known = records.find('bridge')
  const wanted = defaultBridge(known, { defaults: options, pools, bridge, clock })
  if (!known) return records.add(wanted)
  if (JSON.stringify(known.ipam) !== JSON.stringify(wanted.ipam)) readdress(records, known, wanted)
  records.replace(wanted)
}

/** Another --bip: possible while no container is on the bridge. */
function readdress(records: Parts['records'], known: NetworkRecord, wanted: NetworkRecord): void {
  const link = findBridge(known.bridge ?? '')
  if (!link) return
  const text = ({ gateway, prefixLength }: NetworkRecord): string => `${gateway ?? ''}/${prefixLength ?? ''}`
  if (portsOf(link).length > 0 && records.endpointsIn(known.id).length > 0)
    throw conflict(
      `cannot use --bip ${text(wanted)}: containers run on the bridge with ${text(known)}; stop them first`,
    )
  clearAddresses(link)
}

class HostNetworks implements Networks {
  readonly #parts: Parts
  readonly #options: NetworksOptions
  readonly #folder: string
  readonly #stop: () => void

  constructor(parts: Parts, options: NetworksOptions, own: { readonly folder: string; readonly stop: () => void }) {
    this.#parts = parts
    this.#options = options
    this.#folder = own.folder
    this.#stop = own.stop
  }

  async attach(request: AttachRequest): Promise<Sandbox> {
    const { container, mode } = request
    if (mode.startsWith('container:')) {
      const shared = sharedSandbox(this.#parts, mode.slice('container:'.length))
      const { path } = sandboxOf(this.#parts, shared) ?? {}
      return { ...(path !== undefined && { path }), endpoints: [], ports: [], resolver: false }
    }
    return await this.#parts.lock.run(container, async () => {
      await attachSandbox(this.#parts, request)
      return sandboxOf(this.#parts, container) ?? { endpoints: [], ports: [], resolver: false }
    })
  }

  detach(container: string): Promise<void> {
    return this.#parts.lock.run(container, async () => {
      for (const { networkId } of await undoSandbox(this.#parts, container))
        this.#parts.tell('disconnect', getNetwork(this.#parts.records, networkId), container)
    })
  }

  check(network: NetworkRecord, request: EndpointRequest): void {
    checkEndpoint(network, request)
  }

  connect(container: AttachedContainer, request: EndpointRequest): Promise<Endpoint> {
    return this.#parts.lock.run(container.id, async () =>
      publicEndpoint(await connectSandbox(this.#parts, container, request)),
    )
  }

  disconnect(container: string, network: string, { force }: { readonly force: boolean }): Promise<void> {
    return this.#parts.lock.run(container, async () => {
      const done = await disconnectSandbox(this.#parts, container, network)
      if (!done && !force) throw conflict(`container ${container} is not connected to network ${network}`)
    })
  }

  rename(container: string, name: string): Promise<void> {
    return this.#parts.lock.run(container, async () => {
      const { records, reach } = this.#parts
      const sandbox = records.findSandbox(container)
      if (!sandbox) return
      records.replaceSandbox({ ...sandbox, name })
      const endpoints = records.endpointsOf(container)
      for (const endpoint of endpoints) records.replaceEndpoint(renamed(endpoint, sandbox.name, name))
      await reach.settleNames(endpoints.map(({ networkId }) => networkId))
    })
  }

  relink(container: string, links: AttachRequest['links']): Promise<void> {
    return this.#parts.lock.run(container, async () => {
      const { records, reach } = this.#parts
      const sandbox = records.findSandbox(container)
      if (!sandbox) return
      records.replaceSandbox({ ...sandbox, openings: openingsOf(records, links) })
      await reach.settle(container)
    })
  }

  async find(container: string): Promise<Sandbox | undefined> {
    return sandboxOf(this.#parts, container)
  }

  async get(nameOrId: string): Promise<NetworkRecord> {
    return getNetwork(this.#parts.records, nameOrId)
  }

  async list(): Promise<readonly NetworkRecord[]> {
    return this.#parts.records.list()
  }

  async endpoints(networkId: string): Promise<readonly Endpoint[]> {
    return this.#parts.records.endpointsIn(networkId).map(publicEndpoint)
  }

  create(request: NetworkRequest): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
    const { records, roots, lock } = this.#parts
    return lock.run('', async () => {
      const { addressPools, clock } = this.#options
      const pools = addressPools?.map(parsePool)
      const network = planRoot(defineNetwork(request, { known: records.list(), used: usedBlocks, pools, clock }))
      records.add(network)
      try {
        await roots.open([network])
      } catch (error) {
        await roots.remove(network)
        records.remove(network.id)
        throw error
      }
      if (!network.configOnly) this.#parts.reach.warm()
      this.#tellOf('create', network)
      return { id: network.id, warnings: [] }
    })
  }

  async remove(nameOrId: string): Promise<void> {
    const network = getNetwork(this.#parts.records, nameOrId)
    await this.#parts.lock.run('', () => this.#removeOne(network))
  }

  async #removeOne(network: NetworkRecord): Promise<void> {
    const { records, roots } = this.#parts
    if (isPredefined(network)) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`)
    if (!records.find(network.id)) return
    const problem = 'error while removing network:'
    if (network.configOnly && records.list().some(({ configFrom }) => configFrom === network.name))
      throw forbidden(`${problem} configuration network "${network.name}" is in use`)
    const active = records.endpointsIn(network.id)
    if (active.length > 0) {
      const named = active.map(({ id, container }) => {
        const name = records.findSandbox(container)?.name || container.slice(0, 12)
        return `name:"${name}" id:"${id.slice(0, 12)}"`
      })
      throw forbidden(`${problem} network ${network.name} has active endpoints (${named.join(', ')})`)
    }
    await roots.remove(network)
    records.remove(network.id)
    this.#tellOf('destroy', network)
  }

  async prune(keep: (network: NetworkRecord) => boolean): Promise<readonly NetworkRecord[]> {
    const { records, lock } = this.#parts
    const removed: NetworkRecord[] = []
    for (const network of records.list()) {
      await lock.run('', async () => {
        if (isPredefined(network) || network.configOnly || keep(network)) return
        if (records.endpointsIn(network.id).length > 0 || !records.find(network.id)) return
        await this.#removeOne(network)
        removed.push(network)
      })
    }
    return removed
  }

  restore(alive: ReadonlySet<string>): Promise<void> {
    return this.#parts.lock.run('', () => restoreNetworks(this.#parts, this.#folder, alive))
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  async teardown(): Promise<void> {
    this[Symbol.dispose]()
    const { records, roots, reach, lock } = this.#parts
    for (const { container } of records.sandboxes()) await this.detach(container)
    await lock.run('', async () => {
      await reach.close()
      await roots.removeAll(records.list())
    })
  }

  diagnose(): ReturnType<Networks['diagnose']> {
    return this.#parts.reach.diagnose()
  }

  #tellOf(action: 'create' | 'destroy', { id, name, driver }: NetworkRecord): void {
    this.#options.events?.emit({ type: 'network', action, actor: { id, attributes: { name, type: driver } } })
  }
}

function isPredefined({ name }: NetworkRecord): boolean {
  return name === 'bridge' || name === 'host' || name === 'none'
}
