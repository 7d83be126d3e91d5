import { type Address, type Block, type LinkFacts, parseAddress } from '#network/link'
import { isRouted, precedence } from './joining.ts'
import { mtuOf, upperSettings } from './options.ts'
import type { EndpointRecord } from './records.ts'
import type { Plug, Way, Ways } from './sandbox.ts'
import type { NetworkRecord } from './types.ts'

/** An endpoint with its network, and the link on the host that its own stands on. */
export interface Rooted {
  readonly endpoint: EndpointRecord
  readonly network: NetworkRecord
  readonly root: LinkFacts
}

const LINK_LOCAL_4 = 16
const LINK_LOCAL_6 = 64

/** The link that an endpoint is in the sandbox. */
export function plugOf({ endpoint, network, root }: Rooted): Plug {
  const kind = network.driver === 'macvlan' || network.driver === 'ipvlan' ? network.driver : 'veth'
  const { mode, flag } = kind === 'veth' ? { mode: '', flag: '' } : upperSettings(kind, network.options)
  const addresses = addressesOf(endpoint)
  return {
    kind,
    mode,
    flag,
    link: endpoint.link ?? '',
    parent: root.index,
    inside: endpoint.interface ?? '',
    mac: endpoint.macAddress,
    mtu: mtuOf(network.options) ?? root.mtu,
    addresses,
    ipv6: addresses.some(({ family }) => family === 6),
  }
}

function addressesOf(endpoint: EndpointRecord): readonly Block[] {
  const { address, prefixLength, address6, prefixLength6, ipam } = endpoint
  return [
    ...blockOf(address, prefixLength),
    ...blockOf(address6, prefixLength6),
    ...(ipam?.linkLocal ?? []).flatMap((text) => blockOf(text, text.includes(':') ? LINK_LOCAL_6 : LINK_LOCAL_4)),
  ]
}

function blockOf(text: string | undefined, prefix: number | undefined): readonly Block[] {
  const address = parseAddress(text ?? '')
  return address && prefix !== undefined ? [{ ...address, prefix }] : []
}

export interface Member {
  readonly endpoint: EndpointRecord
  readonly network: NetworkRecord
}

/** The endpoint whose network leads everywhere else; undefined where none does. */
export function gatewayMember(members: readonly Member[], family: 4 | 6): Member | undefined {
  return members
    .filter((member) => leadsOut(member, family))
    .toSorted((one, other) => precedence(rankOf(one), rankOf(other)))[0]
}

export function waysOf(members: readonly Member[]): Ways {
  return { four: wayOf(gatewayMember(members, 4), 4), six: wayOf(gatewayMember(members, 6), 6) }
}

function leadsOut({ endpoint, network }: Member, family: 4 | 6): boolean {
  const { address, gateway, address6, gateway6 } = endpoint
  if (isRouted(network) && !network.internal) return (family === 4 ? address : address6) !== undefined
  return (family === 4 ? gateway : gateway6) !== undefined
}

function wayOf(member: Member | undefined, family: 4 | 6): Way | undefined {
  if (!member) return undefined
  const { interface: inside = '', gateway, gateway6 } = member.endpoint
  const address: Address | undefined = parseAddress((family === 4 ? gateway : gateway6) ?? '')
  return { inside, gateway: address }
}

function rankOf({ endpoint, network }: Member) {
  return { network, gwPriority: endpoint.gwPriority }
}
