import type { FilterContainer, FilterNetwork, FilterPlace, HostPort } from './types.ts'

/** One element of a set or map of our table, as nft writes it. */
export interface Element {
  readonly set: string
  readonly key: string
  /** Of a map. */
  readonly value?: string
}

/** What a network puts into the sets. */
export function networkElements(network: FilterNetwork): readonly Element[] {
  const name = quoted(network.bridge)
  return [
    { set: 'bridges', key: name },
    { set: 'same', key: `${name} . ${name}` },
    ...when(network.internal, { set: 'internal', key: name }),
    ...when(!network.icc, { set: 'closed', key: name }),
    ...blockElements(network, { family: 4, name }),
    ...blockElements(network, { family: 6, name }),
  ]
}

type Family = 4 | 6

function blockElements(
  network: FilterNetwork,
  { family, name }: { readonly family: Family; readonly name: string },
): readonly Element[] {
  const { subnet, mode = 'nat', source } = family === 4 ? network : sixOf(network)
  const masquerade = family === 4 ? network.masquerade : (network.masquerade6 ?? network.masquerade)
  if (subnet === undefined) return []
  const leaves = masquerade && mode !== 'routed' && !network.internal
  return [
    { set: `subnets${family}`, key: subnet },
    ...when(mode === 'routed', { set: `routed${family}`, key: name }),
    ...when(mode === 'nat-unprotected', { set: `unprotected${family}`, key: name }),
    ...when(leaves && source !== undefined, { set: `source${family}`, key: subnet, value: source ?? '' }),
    ...when(leaves && source === undefined, { set: `masquerade${family}`, key: subnet }),
  ]
}

function sixOf({ subnet6, mode6, source6 }: FilterNetwork): Pick<FilterNetwork, 'subnet' | 'mode' | 'source'> {
  return {
    ...(subnet6 !== undefined && { subnet: subnet6 }),
    ...(mode6 !== undefined && { mode: mode6 }),
    ...(source6 !== undefined && { source: source6 }),
  }
}

/** What a container puts into the sets: its published ports, and what it may reach where others may not. */
export function containerElements(container: FilterContainer, networks: readonly FilterNetwork[]): readonly Element[] {
  const { via } = container
  const network = via && networks.find(({ bridge }) => bridge === via.bridge)
  const ports = via && network && !network.internal ? container.ports : []
  const elements = ports.flatMap((port) => (via && network ? portElements(port, via, network) : []))
  return unique([...elements, ...linkElements(container)])
}

const EVERYWHERE = new Set(['0.0.0.0', '::'])

/** Nothing where the container has no address of the port's family: somebody else forwards it then. */
function portElements(port: HostPort, via: FilterPlace, network: FilterNetwork): readonly Element[] {
  const family: Family = port.hostIp.includes(':') ? 6 : 4
  const address = family === 4 ? via.address : via.address6
  // The kernel never translates what is sent to ::1.
  if (address === undefined || port.hostIp === '::1') return []
  const open = { set: `open${family}`, key: `${address} . ${port.protocol} . ${port.containerPort}` }
  if ((family === 4 ? network.mode : network.mode6) === 'routed') return [open]
  const way = `${port.protocol} . ${port.hostPort}`
  const value = `${address} . ${port.containerPort}`
  return EVERYWHERE.has(port.hostIp)
    ? [open, { set: `everywhere${family}`, key: way, value }]
    : [open, { set: `published${family}`, key: `${port.hostIp} . ${way}`, value }]
}

function linkElements({ endpoints, links }: FilterContainer): readonly Element[] {
  return links.flatMap(({ address, ports }) => {
    const six = address.includes(':')
    const from = endpoints.flatMap((place) => (six ? place.address6 : place.address) ?? [])
    return from.flatMap((sender) =>
      ports.map((port) => {
        const [number = '', protocol = 'tcp'] = port.split('/')
        return { set: `links${six ? 6 : 4}`, key: `${sender} . ${address} . ${protocol} . ${number}` }
      }),
    )
  })
}

/** Which elements go and which come. One whose value changes does both. */
export function difference(
  old: readonly Element[],
  wanted: readonly Element[],
): { readonly gone: readonly Element[]; readonly come: readonly Element[] } {
  const [before, after] = [new Set(old.map(textOf)), new Set(wanted.map(textOf))]
  return {
    gone: old.filter((element) => !after.has(textOf(element))),
    come: wanted.filter((element) => !before.has(textOf(element))),
  }
}

/** nft's commands for elements, one a set. */
export function elementCommands(verb: 'add' | 'delete', table: string, elements: readonly Element[]): string {
  const sets = Map.groupBy(elements, ({ set }) => set)
  return [...sets]
    .map(([set, members]) => {
      const texts = members.map(({ key, value }) =>
        value === undefined || verb === 'delete' ? key : `${key} : ${value}`,
      )
      return `${verb} element inet ${table} ${set} { ${texts.join(', ')} }\n`
    })
    .join('')
}

/** How many elements each set has. */
export function countsOf(elements: readonly Element[]): ReadonlyMap<string, number> {
  return new Map([...Map.groupBy(elements, ({ set }) => set)].map(([set, members]) => [set, members.length]))
}

export function unique(elements: readonly Element[]): readonly Element[] {
  return [...new Map(elements.map((element) => [textOf(element), element])).values()]
}

function textOf({ set, key, value = '' }: Element): string {
  return `${set} ${key} : ${value}`
}

function quoted(name: string): string {
  return JSON.stringify(name)
}

function when(condition: boolean, element: Element): readonly Element[] {
  return condition ? [element] : []
}
