import { abbreviate } from '#base'
import { type FilterFinding, type Firewall, forwardsOf, type Ports } from '#network/filter'
import type { Switchboard, SwitchboardName, SwitchboardNetwork, SwitchboardSandbox } from '#switchboard'
import { openWayBack } from './bridge.ts'
import { filterContainer, filterNetwork, gatewayOf, placeOf } from './filter-view.ts'
import { isNamed } from './joining.ts'
import { OPTION } from './options.ts'
import type { Member } from './plugs.ts'
import type { EndpointRecord, NetworkRecords, SandboxRecord } from './records.ts'
import type { AttachRequest, NetworkRecord } from './types.ts'

export type PublishRequest = Pick<AttachRequest, 'ports' | 'publishAll' | 'exposedPorts'>

export interface ReachParts {
  readonly records: NetworkRecords
  readonly firewall: Firewall
  readonly ports: Ports
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
  /** Ports of a container to which no network leads any more are given back; `settle` then closes them. */
  withdraw(container: string): void
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
  /** A container with a resolver is about to come. */
  warm(): void
  close(): Promise<void>
  diagnose(): Promise<readonly FilterFinding[]>
}

export function createReach(parts: ReachParts): Reach {
  return new HostReach(parts)
}

class HostReach implements Reach {
  readonly #parts: ReachParts

  constructor(parts: ReachParts) {
    this.#parts = parts
  }

  open(networks: readonly NetworkRecord[]): Promise<void> {
    return this.#parts.firewall.open(networks.flatMap(filterNetwork))
  }

  async publish(container: string, { ports: bindings, publishAll, exposedPorts }: PublishRequest): Promise<void> {
    const { records, ports, switchboard } = this.#parts
    const sandbox = records.findSandbox(container)
    const via = sandbox && gatewayOf(membersOf(records, container))
    if (!sandbox || !via || (bindings.length === 0 && !publishAll)) return
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
      ipv6: endpoint.address6 !== undefined || switchboard !== undefined,
    })
    records.replaceSandbox({ ...sandbox, ports: published })
  }

  withdraw(container: string): void {
    const { records, ports } = this.#parts
    const sandbox = records.findSandbox(container)
    if (!sandbox || sandbox.ports.length === 0 || gatewayOf(membersOf(records, container))) return
    records.replaceSandbox({ ...sandbox, ports: [] })
    ports.release(container)
  }

  async settle(container: string): Promise<void> {
    const { records, firewall, switchboard } = this.#parts
    const sandbox = records.findSandbox(container)
    if (!sandbox || sandbox.host) return
    const members = membersOf(records, container)
    const { link } = (sandbox.ports.length > 0 ? gatewayOf(members)?.endpoint : undefined) ?? {}
    if (link !== undefined) openWayBack(link)
    await Promise.all([
      firewall.setContainer(filterContainer(sandbox, members)),
      switchboard && this.#settleSwitchboard(switchboard, sandbox, members),
    ])
  }

  async #settleSwitchboard(
    switchboard: Switchboard,
    sandbox: SandboxRecord,
    members: readonly Member[],
  ): Promise<void> {
    const { container } = sandbox
    const asked = switchboardSandbox(this.#parts, sandbox, members)
    await (asked ? switchboard.setSandbox(asked) : switchboard.dropSandbox(container))
    await switchboard.setForwards(container, forwardsFor(sandbox, members))
  }

  async settleNames(networks: readonly string[]): Promise<void> {
    const { records, switchboard } = this.#parts
    if (!switchboard) return
    for (const id of networks) if (hasNames(records, id)) await switchboard.setNames(id, this.#namesOf(id))
  }

  async drop(container: string): Promise<void> {
    const { firewall, ports, switchboard } = this.#parts
    await Promise.all([firewall.dropContainer(container), switchboard?.dropSandbox(container)])
    ports.release(container)
  }

  async restore(): Promise<void> {
    const { records, firewall, ports, switchboard } = this.#parts
    const all = records.sandboxes().filter(({ host }) => !host)
    const known = all.map((sandbox) => ({ sandbox, members: membersOf(records, sandbox.container) }))
    await ports.restore(all.flatMap(({ container, ports: held }) => held.map((port) => ({ ...port, container }))))
    await firewall.restore(known.map(({ sandbox, members }) => filterContainer(sandbox, members)))
    const named = records.list().filter(isNamed)
    await switchboard?.restore({
      sandboxes: known.flatMap(({ sandbox, members }) => switchboardSandbox(this.#parts, sandbox, members) ?? []),
      names: Object.fromEntries(named.map(({ id }) => [id, this.#namesOf(id)])),
      forwards: Object.fromEntries(
        known.map(({ sandbox, members }) => [sandbox.container, forwardsFor(sandbox, members)]),
      ),
    })
  }

  hasResolver(endpoints: readonly EndpointRecord[]): boolean {
    const { records, switchboard } = this.#parts
    return switchboard !== undefined && endpoints.some((one) => hasNames(records, one.networkId))
  }

  warm(): void {
    this.#parts.switchboard?.warm()
  }

  async close(): Promise<void> {
    await this.#parts.firewall.close()
    await this.#parts.switchboard?.stop()
  }

  diagnose(): Promise<readonly FilterFinding[]> {
    return this.#parts.firewall.diagnose()
  }

  #namesOf(network: string): readonly SwitchboardName[] {
    return this.#parts.records.endpointsIn(network).flatMap(namesIn)
  }
}

/** What the switchboard has to forward, since the kernel cannot. */
function forwardsFor({ ports }: SandboxRecord, members: readonly Member[]): ReturnType<typeof forwardsOf> {
  const via = gatewayOf(members)
  return forwardsOf(via && placeOf(via), ports)
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
    const [named = '', alias = named] = link.split(':')
    return { alias, target: /^[0-9a-f]{64}$/.test(named) ? abbreviate(named) : named.replace(/^\//, '') }
  })
  return { id: network.id, name: network.name, internal: network.internal, links }
}
