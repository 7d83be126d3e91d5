import type { FilterContainer, FilterFinding, FilterNetwork, FilterPlace, Firewall } from '#network/filter'
import type { Switchboard, SwitchboardName, SwitchboardNetwork, SwitchboardSandbox } from '#switchboard'
import { isNamed } from './joining.ts'
import { flagOf, OPTION } from './options.ts'
import { gatewayMember, type Member } from './plugs.ts'
import type { EndpointRecord, NetworkRecords, SandboxRecord } from './records.ts'
import type { AttachRequest, NetworkRecord, PublishedPort } from './types.ts'

export type PublishRequest = Pick<AttachRequest, 'ports' | 'publishAll' | 'exposedPorts'>

interface Ports {
  reserve(
    request: PublishRequest & {
      readonly container: string
      readonly name: string
      readonly endpoint: string
      readonly address?: string
      readonly hostBinding?: string
      readonly ipv6: boolean
    },
  ): Promise<readonly PublishedPort[]>
  restore(ports: readonly (PublishedPort & { readonly container: string })[]): Promise<void>
  release(container: string): void
}

export interface ReachParts {
  readonly records: NetworkRecords
  readonly firewall: Firewall
  readonly ports: Ports | undefined
  readonly switchboard: Switchboard | undefined
  /** The namespace file of a container. */
  readonly pathOf: (container: string) => string
}

/** How containers are reached: rules of the packet filter, published ports, and names. All of it follows the records. */
export interface Reach {
  /** The rules for these networks, whose links are there. */
  open(networks: readonly NetworkRecord[]): Promise<void>
  /** Ports of a container are chosen, held and recorded; `settle` then opens them. Nothing on a network without a way in. */
  publish(container: string, wanted: PublishRequest): Promise<void>
  /** Rules, ports and resolver of a container become what its records say. */
  settle(container: string): Promise<void>
  /** The names of networks become those of their endpoints. */
  settleNames(networks: readonly string[]): Promise<void>
  /** Idempotent. */
  drop(container: string): Promise<void>
  /** Everything at once, after a start of the daemon. */
  restore(): Promise<void>
  /** Whether 127.0.0.11 answers in a container of these endpoints. */
  hasResolver(endpoints: readonly EndpointRecord[]): boolean
  close(): Promise<void>
  diagnose(): Promise<readonly FilterFinding[]>
}

export function createReach(parts: ReachParts): Reach {
  const { records, firewall, ports, switchboard } = parts
  const namesOf = (network: string): readonly SwitchboardName[] => records.endpointsIn(network).flatMap(namesIn)
  return {
    open: (networks) => firewall.open(networks.flatMap(filterNetwork)),
    async publish(container, { ports: bindings, publishAll, exposedPorts }) {
      const sandbox = records.findSandbox(container)
      const via = sandbox && gatewayOf(membersOf(records, container))
      if (!ports || !sandbox || !via || (bindings.length === 0 && !publishAll)) return
      const { endpoint, network } = via
      const hostBinding = network.options[OPTION.hostBinding]
      const published = await ports.reserve({
        container,
        name: sandbox.name,
        endpoint: endpoint.id,
        ...(endpoint.address !== undefined && { address: endpoint.address }),
        ports: bindings,
        publishAll,
        exposedPorts,
        ...(hostBinding !== undefined && { hostBinding }),
        ipv6: endpoint.address6 !== undefined,
      })
      records.replaceSandbox({ ...sandbox, ports: published })
    },
    async settle(container) {
      const sandbox = records.findSandbox(container)
      if (!sandbox || sandbox.host) return
      const members = membersOf(records, container)
      await firewall.setContainer(filterContainer(sandbox, members))
      if (!switchboard) return
      const asked = switchboardSandbox(parts, sandbox, members)
      await (asked ? switchboard.setSandbox(asked) : switchboard.dropSandbox(container))
    },
    async settleNames(networks) {
      if (!switchboard) return
      for (const id of networks) if (hasNames(records, id)) await switchboard.setNames(id, namesOf(id))
    },
    async drop(container) {
      await Promise.all([firewall.dropContainer(container), switchboard?.dropSandbox(container)])
      ports?.release(container)
    },
    async restore() {
      const all = records.sandboxes().filter(({ host }) => !host)
      const known = all.map((sandbox) => ({ sandbox, members: membersOf(records, sandbox.container) }))
      await ports?.restore(all.flatMap(({ container, ports: held }) => held.map((port) => ({ ...port, container }))))
      await firewall.restore(known.map(({ sandbox, members }) => filterContainer(sandbox, members)))
      await switchboard?.restore({
        sandboxes: known.flatMap(({ sandbox, members }) => switchboardSandbox(parts, sandbox, members) ?? []),
        names: Object.fromEntries(
          records.list().flatMap((network) => (isNamed(network) ? [[network.id, namesOf(network.id)]] : [])),
        ),
        forwards: {},
      })
    },
    hasResolver: (endpoints) => switchboard !== undefined && endpoints.some((one) => hasNames(records, one.networkId)),
    async close() {
      await firewall.close()
      await switchboard?.stop()
    },
    diagnose: () => firewall.diagnose(),
  }
}

function hasNames(records: NetworkRecords, id: string): boolean {
  const network = records.find(id)
  return network !== undefined && isNamed(network)
}

export function membersOf(records: NetworkRecords, container: string): readonly Member[] {
  return records.endpointsOf(container).flatMap((endpoint) => {
    const network = records.find(endpoint.networkId)
    return network ? [{ endpoint, network }] : []
  })
}

function namesIn({ dnsNames, address, address6, container }: EndpointRecord): readonly SwitchboardName[] {
  const addresses = [address, address6].filter((one) => one !== undefined)
  return addresses.length === 0 ? [] : dnsNames.map((name) => ({ name, addresses, container }))
}

/** Nothing for a container that is on no network with names. */
function switchboardSandbox(
  { pathOf }: ReachParts,
  { container, dns }: SandboxRecord,
  members: readonly Member[],
): SwitchboardSandbox | undefined {
  const networks = members.filter(({ network }) => isNamed(network)).map(switchboardNetwork)
  if (networks.length === 0) return undefined
  return { container, path: pathOf(container), networks, servers: dns.servers, options: dns.options }
}

function switchboardNetwork({ endpoint, network }: Member): SwitchboardNetwork {
  const links = endpoint.links.map((link) => {
    const [target = '', alias = target] = link.split(':')
    return { alias, target }
  })
  return { id: network.id, name: network.name, internal: network.internal, links }
}

/** What the packet filter has to know of a network; nothing of those that it cannot see. */
function filterNetwork(network: NetworkRecord): readonly FilterNetwork[] {
  const { id, bridge, subnet, subnet6, internal, options, driver } = network
  if (driver !== 'bridge' || bridge === undefined) return []
  return [
    {
      id,
      bridge,
      ...(subnet !== undefined && { subnet }),
      ...(subnet6 !== undefined && { subnet6 }),
      internal,
      icc: flagOf(options, OPTION.icc, true),
      masquerade: flagOf(options, OPTION.masquerade, true),
      ...gatewayModes(options),
    },
  ]
}

const MODES = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const

function gatewayModes(options: NetworkRecord['options']): Partial<FilterNetwork> {
  const [mode, mode6] = [OPTION.mode, OPTION.mode6].map((name) => MODES.find((known) => known === options[name]))
  const [source, source6] = [options[OPTION.source], options[OPTION.source6]]
  return { ...(mode && { mode }), ...(mode6 && { mode6 }), ...(source && { source }), ...(source6 && { source6 }) }
}

function filterContainer(sandbox: SandboxRecord, members: readonly Member[]): FilterContainer {
  const via = gatewayOf(members)
  return {
    container: sandbox.container,
    ...(via && { via: placeOf(via) }),
    ports: sandbox.ports,
    links: sandbox.openings,
    endpoints: members.filter(({ network }) => network.driver === 'bridge').map(placeOf),
  }
}

/** The bridge through which published ports lead. */
function gatewayOf(members: readonly Member[]): Member | undefined {
  const via = gatewayMember(members, 4) ?? gatewayMember(members, 6)
  return via?.network.driver === 'bridge' ? via : undefined
}

function placeOf({ endpoint, network }: Member): FilterPlace {
  const { link, address, address6 } = endpoint
  return {
    bridge: network.bridge ?? '',
    ...(link !== undefined && { link }),
    ...(address !== undefined && { address }),
    ...(address6 !== undefined && { address6 }),
  }
}
