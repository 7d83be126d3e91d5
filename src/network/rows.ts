import { corrupt } from '#base'
import { type Database, readBigInt, readNumber, readOptionalText, readText, type Row } from '#store/db'
import { formatAddress, formatBlock, networkOf, parseBlock } from '#network/link'
import type { EndpointRecord, SandboxRecord } from './records.ts'
import type { Endpoint, NetworkRecord, PublishedPort } from './types.ts'

export function insertNetwork(db: Database, network: NetworkRecord): void {
  const { id, name, driver, createdAt } = network
  const [bridge, facts] = factsOf(network)
  db.run(
    'INSERT INTO network_network (id, name, driver, created_at, bridge, facts) VALUES (?, ?, ?, ?, ?, ?)',
    id,
    name,
    driver,
    createdAt,
    bridge,
    facts,
  )
}

export function factsOf({ id: _id, name: _name, driver: _driver, createdAt: _at, bridge, ...facts }: NetworkRecord) {
  return [bridge ?? null, JSON.stringify(facts)] as const
}

export function readNetworks(db: Database): readonly NetworkRecord[] {
  return db.all('SELECT * FROM network_network').map((row) => {
    const [bridge, facts] = [readOptionalText(row, 'bridge'), readOptionalText(row, 'facts')]
    return {
      ...(facts === undefined ? earlierFacts(row) : (JSON.parse(facts) as NetworkRecord)),
      id: readText(row, 'id'),
      name: readText(row, 'name'),
      driver: readDriver(readText(row, 'driver')),
      createdAt: readBigInt(row, 'created_at'),
      ...(bridge === undefined ? {} : { bridge }),
    }
  })
}

/** Of the predefined networks, which had nothing but a gateway once. */
function earlierFacts(row: Row): Omit<NetworkRecord, 'id' | 'name' | 'driver' | 'createdAt'> {
  const gateway = readOptionalText(row, 'gateway')
  return { ...PLAIN, ...(gateway === undefined ? {} : addressed(gateway)) }
}

/** A predefined network without addresses. */
export const PLAIN = {
  scope: 'local',
  internal: false,
  attachable: false,
  ipv4: true,
  ipv6: false,
  ipam: [],
  ipamDriver: 'default',
  ipamOptions: {},
  configOnly: false,
  labels: {},
  options: {},
} as const

/** The facts of a network with one IPv4 block, of its gateway («172.26.0.1/16»). */
export function addressed(text: string): Pick<NetworkRecord, 'ipam' | 'subnet' | 'gateway' | 'prefixLength'> {
  const block = parseBlock(text)
  const [subnet, gateway] = [formatBlock(networkOf(block)), formatAddress(block)]
  return { ipam: [{ subnet, gateway, auxAddresses: {}, chosen: true }], subnet, gateway, prefixLength: block.prefix }
}

const DRIVERS: readonly NetworkRecord['driver'][] = ['bridge', 'host', 'null', 'macvlan', 'ipvlan']

function readDriver(text: string): NetworkRecord['driver'] {
  const driver = DRIVERS.find((known) => known === text)
  if (driver === undefined) throw corrupt(`cannot read the networks: unknown driver ${text}`)
  return driver
}

export function writeSandbox(db: Database, { container, ports, ...facts }: SandboxRecord): void {
  db.run(
    'INSERT INTO network_sandbox (container, facts) VALUES (?, ?) ON CONFLICT (container) DO UPDATE SET facts = excluded.facts',
    container,
    JSON.stringify(facts),
  )
  db.run('DELETE FROM network_port WHERE container = ?', container)
  for (const { containerPort, protocol, hostIp, hostPort } of ports)
    db.run(
      'INSERT INTO network_port (container, container_port, protocol, host_ip, host_port) VALUES (?, ?, ?, ?, ?)',
      container,
      containerPort,
      protocol,
      hostIp,
      hostPort,
    )
}

const EARLIER_SANDBOX = {
  host: false,
  name: '',
  hostname: '',
  dns: { servers: [], search: [], options: [] },
  openings: [],
  exposedPorts: [],
} as const

export function readSandboxes(db: Database): readonly SandboxRecord[] {
  const ports = db.all('SELECT * FROM network_port').map((row) => ({ container: readText(row, 'container'), row }))
  return db.all('SELECT * FROM network_sandbox').map((row) => {
    const container = readText(row, 'container')
    const facts = JSON.parse(readText(row, 'facts')) as Partial<SandboxRecord>
    const own = ports.filter((port) => port.container === container).map((port) => readPort(port.row))
    return { ...EARLIER_SANDBOX, ...facts, container, ports: own }
  })
}

function readPort(row: Row): PublishedPort {
  const protocol = readText(row, 'protocol')
  return {
    containerPort: readNumber(row, 'container_port'),
    protocol: protocol === 'udp' || protocol === 'sctp' ? protocol : 'tcp',
    hostIp: readText(row, 'host_ip'),
    hostPort: readNumber(row, 'host_port'),
  }
}

export function insertEndpoint(db: Database, endpoint: EndpointRecord): void {
  const { id, networkId, container, address, address6, link, ready } = endpoint
  db.run(
    'INSERT INTO network_endpoint (id, network, container, address, address6, link, ready, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    id,
    networkId,
    container,
    address ?? null,
    address6 ?? null,
    link ?? null,
    Number(ready),
    endpointFacts(endpoint),
  )
}

export function endpointFacts(endpoint: EndpointRecord): string {
  const { id: _id, network: _name, networkId: _network, container: _container, ready: _ready, ...facts } = endpoint
  return JSON.stringify(facts)
}

const EARLIER_ENDPOINT = { aliases: [], links: [], dnsNames: [], gwPriority: 0, driverOptions: {} } as const

export function readEndpoints(db: Database, networks: ReadonlyMap<string, NetworkRecord>): readonly EndpointRecord[] {
  return db.all('SELECT * FROM network_endpoint').map((row) => {
    const [address, link] = [readOptionalText(row, 'address'), readOptionalText(row, 'link')]
    const network = networks.get(readText(row, 'network'))
    return {
      ...EARLIER_ENDPOINT,
      ...(address === undefined ? {} : { address, ...earlierAddress(network) }),
      ...(link === undefined ? {} : { link, interface: 'eth0' }),
      ...(JSON.parse(readText(row, 'facts')) as Partial<EndpointRecord>),
      id: readText(row, 'id'),
      network: network?.name ?? '',
      networkId: readText(row, 'network'),
      container: readText(row, 'container'),
      ready: readNumber(row, 'ready') !== 0,
    }
  })
}

function earlierAddress(network: NetworkRecord | undefined): Pick<Endpoint, 'prefixLength' | 'gateway'> {
  const { prefixLength, gateway } = network ?? {}
  return { ...(prefixLength !== undefined && { prefixLength }), ...(gateway !== undefined && { gateway }) }
}
