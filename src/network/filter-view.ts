import type { FilterContainer, FilterNetwork, FilterPlace } from '#network/filter'
import { flagOf, GATEWAY_MODES, OPTION } from './options.ts'
import { gatewayMember, type Member } from './plugs.ts'
import type { SandboxRecord } from './records.ts'
import type { NetworkRecord } from './types.ts'

/** What the packet filter has to know of a network; nothing of those that it cannot see. */
export function filterNetwork(network: NetworkRecord): readonly FilterNetwork[] {
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

function gatewayModes(options: NetworkRecord['options']): Partial<FilterNetwork> {
  const [mode, mode6] = [OPTION.mode, OPTION.mode6].map((name) =>
    GATEWAY_MODES.find((known) => known === options[name]),
  )
  const [source, source6] = [options[OPTION.source], options[OPTION.source6]]
  return { ...(mode && { mode }), ...(mode6 && { mode6 }), ...(source && { source }), ...(source6 && { source6 }) }
}

export function filterContainer(sandbox: SandboxRecord, members: readonly Member[]): FilterContainer {
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
export function gatewayOf(members: readonly Member[]): Member | undefined {
  const via = gatewayMember(members, 4) ?? gatewayMember(members, 6)
  return via?.network.driver === 'bridge' ? via : undefined
}

export function placeOf({ endpoint, network }: Member): FilterPlace {
  const { address, address6 } = endpoint
  return {
    bridge: network.bridge ?? '',
    ...(address !== undefined && { address }),
    ...(address6 !== undefined && { address6 }),
  }
}
