import { type Clock, conflict, longId, notFound } from '#base'
import { type Database, readBigInt, readOptionalText, readText, type Row } from '#store/db'
import {
  type Block,
  formatAddress,
  formatBlock,
  freeAddress,
  macOf,
  networkOf,
  parseAddress,
  parseBlock,
} from './address.ts'
import type { Endpoint, NetworkRecord } from './types.ts'

/** An endpoint's record with what only this room needs. */
export interface EndpointRecord extends Endpoint {
  /** The host's end of its veth pair. */
  readonly link?: string
}

/** The rows of this room. */
export interface NetworkRecords {
  /** Adds a predefined network where it is missing. */
  ensure(network: {
    readonly name: string
    readonly driver: NetworkRecord['driver']
    readonly gateway?: string
    readonly bridge?: string
  }): void
  setGateway(name: string, gateway: string): void
  find(nameOrId: string): NetworkRecord | undefined
  list(): readonly NetworkRecord[]
  /** A new endpoint, with the lowest free address where the network has a block; throws `conflict` where it is full. */
  addEndpoint(network: NetworkRecord, container: string, link?: string): EndpointRecord
  findEndpoint(container: string): EndpointRecord | undefined
  endpoints(networkId?: string): readonly EndpointRecord[]
  removeEndpoint(container: string): void
}

export function createRecords(options: {
  readonly db: Database
  readonly clock: Clock
  readonly mtu: number
}): NetworkRecords {
  const { db, clock } = options
  const network = (row: Row): NetworkRecord => readNetwork(row, options.mtu)
  const list = (): readonly NetworkRecord[] => db.all('SELECT * FROM network_network ORDER BY name').map(network)
  const endpoints = (where: string, ...parameters: readonly string[]): readonly EndpointRecord[] =>
    db.all(`${ENDPOINTS} ${where}`, ...parameters).map(readEndpoint)
  return {
    ensure(wanted) {
      db.run(
        'INSERT INTO network_network (id, name, driver, created_at, gateway, bridge) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING',
        longId(),
        wanted.name,
        wanted.driver,
        clock.nanoseconds(),
        wanted.gateway ?? null,
        wanted.bridge ?? null,
      )
    },
    setGateway: (name, gateway) => void db.run('UPDATE network_network SET gateway = ? WHERE name = ?', gateway, name),
    find(nameOrId) {
      const all = list()
      const named = all.find((one) => one.name === nameOrId || one.id === nameOrId)
      if (named) return named
      const short = /^[0-9a-f]+$/.test(nameOrId) ? all.filter((one) => one.id.startsWith(nameOrId)) : []
      if (short.length > 1)
        throw conflict(`network ${nameOrId} is ambiguous (${short.length} matches found based on ID prefix)`)
      return short[0]
    },
    list,
    addEndpoint: (into, container, link) =>
      db.transaction(() => {
        const address = into.gateway === undefined ? null : chooseAddress(into, endpoints('WHERE network = ?', into.id))
        db.run(
          'INSERT INTO network_endpoint (id, network, container, address, link) VALUES (?, ?, ?, ?, ?)',
          longId(),
          into.id,
          container,
          address,
          link ?? null,
        )
        const [added] = endpoints('WHERE container = ?', container)
        if (!added) throw notFound('endpoint', container)
        return added
      }),
    findEndpoint: (container) => endpoints('WHERE container = ?', container)[0],
    endpoints: (networkId) => (networkId === undefined ? endpoints('') : endpoints('WHERE network = ?', networkId)),
    removeEndpoint: (container) => void db.run('DELETE FROM network_endpoint WHERE container = ?', container),
  }
}

const ENDPOINTS = `SELECT network_endpoint.*, network_network.name AS network_name, network_network.gateway AS gateway
  FROM network_endpoint JOIN network_network ON network_network.id = network_endpoint.network`

function chooseAddress(network: NetworkRecord, others: readonly EndpointRecord[]): string {
  const block = parseBlock(`${network.gateway ?? ''}/${network.prefixLength ?? 0}`)
  const taken = others.map((endpoint) => parseAddress(endpoint.address ?? ''))
  const address = freeAddress(block, new Set([block.address, ...taken.filter((one) => one !== undefined)]))
  if (address === undefined)
    throw conflict(`no available IPv4 addresses on this network's address pools: ${network.name} (${network.id})`)
  return formatAddress(address)
}

/** What Docker says of its default bridge, so far as it is true here. */
function bridgeOptions(bridge: string, mtu: number): Readonly<Record<string, string>> {
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    'com.docker.network.bridge.enable_icc': 'true',
    'com.docker.network.bridge.enable_ip_masquerade': 'true',
    'com.docker.network.bridge.name': bridge,
    'com.docker.network.driver.mtu': String(mtu),
  }
}

function readNetwork(row: Row, mtu: number): NetworkRecord {
  const [gateway, bridge] = [readOptionalText(row, 'gateway'), readOptionalText(row, 'bridge')]
  const block = gateway === undefined ? undefined : parseBlock(gateway)
  return {
    id: readText(row, 'id'),
    name: readText(row, 'name'),
    driver: readDriver(readText(row, 'driver')),
    createdAt: readBigInt(row, 'created_at'),
    scope: 'local',
    internal: false,
    attachable: false,
    ipv4: true,
    ipv6: false,
    ipamDriver: 'default',
    ipamOptions: {},
    configOnly: false,
    ...blockFacts(block),
    ...(bridge === undefined ? {} : { bridge }),
    labels: {},
    options: bridge === undefined ? {} : bridgeOptions(bridge, mtu),
  }
}

function blockFacts(block: Block | undefined): Pick<NetworkRecord, 'ipam' | 'subnet' | 'gateway' | 'prefixLength'> {
  if (!block) return { ipam: [] }
  const [subnet, gateway] = [formatBlock(networkOf(block)), formatAddress(block.address)]
  return { ipam: [{ subnet, gateway, auxAddresses: {} }], subnet, gateway, prefixLength: block.prefix }
}

function readDriver(text: string): NetworkRecord['driver'] {
  return text === 'bridge' || text === 'host' ? text : 'null'
}

function readEndpoint(row: Row): EndpointRecord {
  const [text, gateway, link] = ['address', 'gateway', 'link'].map((column) => readOptionalText(row, column))
  const address = text === undefined ? undefined : parseAddress(text)
  const block = gateway === undefined ? undefined : parseBlock(gateway)
  return {
    id: readText(row, 'id'),
    network: readText(row, 'network_name'),
    networkId: readText(row, 'network'),
    container: readText(row, 'container'),
    aliases: [],
    links: [],
    dnsNames: [],
    gwPriority: 0,
    driverOptions: {},
    ...(address === undefined || !block
      ? {}
      : {
          address: formatAddress(address),
          prefixLength: block.prefix,
          gateway: formatAddress(block.address),
          macAddress: macOf(address),
        }),
    ...(link === undefined ? {} : { link }),
  }
}
