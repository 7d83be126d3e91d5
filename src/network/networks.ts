import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, conflict, createKeyedLock, EngineError, forbidden, type Log, messageOf, unsupported } from '#base'
import type { EventBus } from '#event'
import { removeNetworkNamespace } from '#kernel'
import type { Database } from '#store/db'
import { formatBlock, parseAddress, parseBlock } from './address.ts'
import {
  chooseGateway,
  clash,
  clearAddresses,
  findBridge,
  openBridge,
  outwardMtu,
  parseBridgeAddress,
  portsOf,
  removeBridge,
  replug,
} from './bridge.ts'
import { createFirewall, type Firewall } from './firewall.ts'
import { deleteLink } from './links.ts'
import { bridgeNames } from './names.ts'
import { createRecords, type EndpointRecord, type NetworkRecords } from './records.ts'
import { type LinkFacts, openRoutes } from './rtnetlink.ts'
import { openSandbox } from './sandbox.ts'
import type { AttachRequest, Endpoint, NetworkRecord, Networks, Sandbox } from './types.ts'

/** How often it is looked whether somebody changed the packet filter; one system call. Milliseconds. */
const WATCH_INTERVAL = 5000

export interface NetworksOptions {
  readonly db: Database
  /** Namespace files go to `<execRoot>/netns`; the bridge is named after it. */
  readonly execRoot: string
  /** The bridge's address with its block («172.26.0.1/16»); chosen free of the host's where absent. */
  readonly bip?: string | undefined
  readonly clock: Clock
  readonly log: Log
  readonly events?: Pick<EventBus, 'emit'>
}

/** The three predefined networks. The bridge itself is made with the first container on it. Throws `conflict` for an impossible `bip`. */
export function openNetworks(options: NetworksOptions): Networks {
  const names = bridgeNames(options.execRoot)
  const records = createRecords({ db: options.db, clock: options.clock, mtu: outwardMtu() })
  const networks = new HostNetworks(options, { records, names, firewall: createFirewall(names) })
  networks.prepare()
  return networks
}

interface Parts {
  readonly records: NetworkRecords
  readonly names: { readonly bridge: string; readonly table: string }
  readonly firewall: Firewall
}

class HostNetworks implements Networks {
  readonly #options: NetworksOptions
  readonly #records: NetworkRecords
  readonly #firewall: Firewall
  readonly #bridge: string
  readonly #folder: string
  readonly #lock = createKeyedLock()
  #watch: NodeJS.Timeout | undefined

  constructor(options: NetworksOptions, parts: Parts) {
    this.#options = options
    this.#records = parts.records
    this.#firewall = parts.firewall
    this.#bridge = parts.names.bridge
    this.#folder = join(options.execRoot, 'netns')
  }

  prepare(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o711 })
    this.#records.ensure({ name: 'host', driver: 'host' })
    this.#records.ensure({ name: 'none', driver: 'null' })
    const known = this.#records.find('bridge')
    const wanted = this.#options.bip === undefined ? undefined : parseBridgeAddress(this.#options.bip)
    if (!known) {
      const gateway = formatBlock(wanted ?? chooseGateway(this.#bridge))
      this.#records.ensure({ name: 'bridge', driver: 'bridge', gateway, bridge: this.#bridge })
    } else if (wanted && formatBlock(wanted) !== gatewayOf(known)) {
      this.#readdress(known, formatBlock(wanted))
    }
  }

  attach({ container, mode }: AttachRequest): Promise<Sandbox> {
    return this.#lock.run(container, async () => {
      const network = await this.get(mode === 'default' ? 'bridge' : mode)
      if (this.#records.findEndpoint(container)) this.#undo(container)
      const sandbox =
        network.driver === 'bridge' ? await this.#plug(container, network) : this.#isolate(container, network)
      this.#tell('connect', network, container)
      return sandbox
    })
  }

  detach(container: string): Promise<void> {
    return this.#lock.run(container, async () => {
      const endpoint = this.#records.findEndpoint(container)
      if (!endpoint) return
      const network = await this.get(endpoint.networkId)
      this.#undo(container)
      this.#tell('disconnect', network, container)
    })
  }

  async connect(): Promise<Endpoint> {
    throw unsupported('cannot connect a container: networks of a user are not yet carried out')
  }

  async disconnect(): Promise<void> {
    throw unsupported('cannot disconnect a container: networks of a user are not yet carried out')
  }

  async create(): Promise<never> {
    throw unsupported('cannot create a network: networks of a user are not yet carried out')
  }

  async remove(nameOrId: string): Promise<void> {
    const { name } = await this.get(nameOrId)
    throw forbidden(`${name} is a pre-defined network and cannot be removed`)
  }

  async prune(): Promise<readonly NetworkRecord[]> {
    return []
  }

  async rename(): Promise<void> {}

  async find(container: string): Promise<Sandbox | undefined> {
    const endpoint = this.#records.findEndpoint(container)
    return endpoint && this.#sandboxOf(endpoint)
  }

  async get(nameOrId: string): Promise<NetworkRecord> {
    const found = this.#records.find(nameOrId)
    if (!found) throw new EngineError('not-found', `network ${nameOrId} not found`)
    return found
  }

  async list(): Promise<readonly NetworkRecord[]> {
    return this.#records.list()
  }

  async endpoints(networkId: string): Promise<readonly Endpoint[]> {
    return this.#records.endpoints(networkId).map(publicEndpoint)
  }

  async restore(alive: ReadonlySet<string>): Promise<void> {
    for (const { container } of this.#records.endpoints()) if (!alive.has(container)) this.#undo(container)
    const kept = this.#records.endpoints()
    const containers = new Set(kept.map((endpoint) => endpoint.container))
    for (const name of readdirSync(this.#folder)) if (!containers.has(name)) removeNetworkNamespace(this.#pathOf(name))
    await this.#removeStrayLinks(new Set(kept.map((endpoint) => endpoint.link)))
    if (!kept.some((endpoint) => endpoint.address !== undefined)) return
    const { link } = await this.#openBridge(await this.get('bridge'))
    replug(link, new Set(kept.map((endpoint) => endpoint.link ?? '')))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watch)
    this.#watch = undefined
  }

  async teardown(): Promise<void> {
    this[Symbol.dispose]()
    for (const { container } of this.#records.endpoints()) await this.detach(container)
    await this.#lock.run('', async () => {
      await removeBridge(this.#bridge)
      await this.#firewall.close()
    })
  }

  diagnose(): ReturnType<Networks['diagnose']> {
    return this.#firewall.diagnose()
  }

  /** Record, then namespace and link; the record goes again where they fail. */
  async #plug(container: string, network: NetworkRecord): Promise<Sandbox> {
    const opened = await this.#openBridge(network)
    const endpoint = this.#records.addEndpoint(opened.network, container, `veth${randomBytes(4).toString('hex')}`)
    try {
      const { link = '', macAddress: mac = '' } = endpoint
      const address = parseBlock(`${endpoint.address ?? ''}/${endpoint.prefixLength ?? 0}`)
      const gateway = parseAddress(endpoint.gateway ?? '') ?? 0
      const wire = { link, mac, address, gateway, master: opened.link.index, mtu: opened.link.mtu }
      openSandbox(this.#freshPath(container), wire)
    } catch (error) {
      this.#undo(container)
      throw error
    }
    return this.#sandboxOf(endpoint)
  }

  /** `none`: nothing but a loopback. `host`: a record only. */
  #isolate(container: string, network: NetworkRecord): Sandbox {
    const endpoint = this.#records.addEndpoint(network, container)
    try {
      if (network.driver === 'null') openSandbox(this.#freshPath(container), undefined)
    } catch (error) {
      this.#undo(container)
      throw error
    }
    return this.#sandboxOf(endpoint)
  }

  /** Drops the namespace; the kernel removes the veth pair behind it. Then the record. */
  #undo(container: string): void {
    removeNetworkNamespace(this.#pathOf(container))
    this.#records.removeEndpoint(container)
  }

  #openBridge(network: NetworkRecord): Promise<{ readonly link: LinkFacts; readonly network: NetworkRecord }> {
    return this.#lock.run('', async () => {
      const link = findBridge(this.#bridge)
      const current = link ? await this.get('bridge') : await this.#freeOfClashes(network)
      const gateway = parseBlock(gatewayOf(current))
      const opened = openBridge(this.#bridge, gateway)
      const subnet = current.subnet ?? ''
      await this.#firewall.open(subnet)
      this.#watch ??= setInterval(() => this.#keepOpen(subnet), WATCH_INTERVAL).unref()
      return { link: opened, network: current }
    })
  }

  /** Rules that others flushed, or a drop that came with another engine, are set right for running containers too. */
  #keepOpen(subnet: string): void {
    const { log } = this.#options
    // Not after a teardown that came while this waited.
    const work = async (): Promise<void> => (this.#watch ? this.#firewall.open(subnet) : undefined)
    this.#lock.run('', work).catch((error: unknown) => {
      log.warn('cannot set the packet filter right', { error: messageOf(error) })
    })
  }

  /** The host may have got new networks since the block was chosen. */
  async #freeOfClashes(network: NetworkRecord): Promise<NetworkRecord> {
    const taken = clash(this.#bridge, parseBlock(gatewayOf(network)))
    if (taken === undefined) return network
    if (this.#options.bip !== undefined || this.#records.endpoints(network.id).length > 0) {
      throw conflict(
        `cannot make the bridge ${this.#bridge}: its block ${network.subnet ?? ''} clashes with ${taken} of the host`,
      )
    }
    this.#records.setGateway('bridge', formatBlock(chooseGateway(this.#bridge)))
    return this.get('bridge')
  }

  /** A changed --bip: possible while no container is on the bridge. */
  #readdress(known: NetworkRecord, gateway: string): void {
    const link = findBridge(this.#bridge)
    if (link && portsOf(link).length > 0) {
      throw conflict(
        `cannot use --bip ${gateway}: containers run on the bridge with ${gatewayOf(known)}; stop them first`,
      )
    }
    for (const endpoint of this.#records.endpoints(known.id)) this.#undo(endpoint.container)
    this.#records.setGateway('bridge', gateway)
    if (link) clearAddresses(link)
  }

  async #removeStrayLinks(known: ReadonlySet<string | undefined>): Promise<void> {
    const link = findBridge(this.#bridge)
    if (!link) return
    using routes = openRoutes()
    for (const port of portsOf(link)) if (!known.has(port.name)) await deleteLink(routes, port.index)
  }

  #sandboxOf(endpoint: EndpointRecord): Sandbox {
    const rest = { endpoints: [publicEndpoint(endpoint)], ports: [], resolver: false }
    return endpoint.network === 'host' ? rest : { path: this.#pathOf(endpoint.container), ...rest }
  }

  #pathOf(container: string): string {
    return join(this.#folder, container)
  }

  /** The path of a new namespace; a file that a lost mount namespace left there goes first. */
  #freshPath(container: string): string {
    const path = this.#pathOf(container)
    if (existsSync(path)) removeNetworkNamespace(path)
    return path
  }

  #tell(action: 'connect' | 'disconnect', network: NetworkRecord, container: string): void {
    const attributes = { container, name: network.name, type: network.driver }
    this.#options.events?.emit({ type: 'network', action, actor: { id: network.id, attributes } })
  }
}

function gatewayOf(network: NetworkRecord): string {
  return `${network.gateway ?? ''}/${network.prefixLength ?? ''}`
}

function publicEndpoint({ link: _link, ...endpoint }: EndpointRecord): Endpoint {
  return endpoint
}
