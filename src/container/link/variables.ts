/** A linked container, as the one that is linked to it sees it. */
export interface LinkedContainer {
  /** The name of the one with the link, without a slash. */
  readonly owner: string
  readonly alias: string
  readonly address: string
  /** «80/tcp», «90-91/udp». */
  readonly exposedPorts: readonly string[]
  readonly env: readonly string[]
}

interface Port {
  readonly number: number
  readonly protocol: string
}

/**
 * The variables of one link in Docker's order: the first port, each port, each run of ports behind the port that ends it,
 * the name, and the environment but for PATH and HOME.
 */
export function linkVariables(linked: LinkedContainer): readonly string[] {
  const prefix = aliasName(linked.alias).toUpperCase().replaceAll('-', '_')
  const ports = linked.exposedPorts.flatMap(portsOf).toSorted(byProtocol)
  return [
    ...ports.slice(0, 1).map((port) => `${prefix}_PORT=${placeOf(linked, port)}`),
    ...ports.flatMap((port, index) => [
      ...portVariables(prefix, linked, port),
      ...(index > 0 && !follows(ports[index - 1], port)
        ? runVariables(prefix, linked, runEndingAt(ports, index - 1))
        : []),
    ]),
    ...runVariables(prefix, linked, runEndingAt(ports, ports.length - 1)),
    `${prefix}_NAME=/${linked.owner}/${linked.alias}`,
    ...linked.env.filter(isShown).map((entry) => `${prefix}_ENV_${entry}`),
  ]
}

/** What stands for a link: the last part of its alias. */
export function aliasName(alias: string): string {
  return alias.slice(alias.lastIndexOf('/') + 1)
}

function portsOf(text: string): readonly Port[] {
  const [range = '', protocol = 'tcp'] = text.split('/')
  const [from = 0, to = from] = range.split('-').map(Number)
  return Array.from({ length: to - from + 1 }, (_, index) => ({ number: from + index, protocol }))
}

/** TCP first, then by name. */
function byProtocol(one: Port, other: Port): number {
  if (one.protocol === other.protocol) return one.number - other.number
  if (one.protocol === 'tcp' || other.protocol === 'tcp') return one.protocol === 'tcp' ? -1 : 1
  return one.protocol < other.protocol ? -1 : 1
}

function follows(before: Port | undefined, port: Port): boolean {
  return before !== undefined && before.protocol === port.protocol && before.number + 1 === port.number
}

function runEndingAt(ports: readonly Port[], end: number): readonly Port[] {
  let start = end
  while (start > 0 && follows(ports[start - 1], ports[start] ?? { number: 0, protocol: '' })) start -= 1
  return ports.slice(start, end + 1)
}

function portVariables(prefix: string, linked: LinkedContainer, port: Port): readonly string[] {
  const name = nameOf(prefix, port)
  return [
    `${name}=${placeOf(linked, port)}`,
    `${name}_ADDR=${linked.address}`,
    `${name}_PORT=${port.number}`,
    `${name}_PROTO=${port.protocol}`,
  ]
}

/** Of two ports and more in a row. */
function runVariables(prefix: string, linked: LinkedContainer, run: readonly Port[]): readonly string[] {
  const [first, last] = [run[0], run.at(-1)]
  if (!first || !last || first === last) return []
  const name = nameOf(prefix, first)
  return [
    `${name}_START=${placeOf(linked, first)}`,
    `${name}_PORT_START=${first.number}`,
    `${name}_END=${placeOf(linked, last)}`,
    `${name}_PORT_END=${last.number}`,
  ]
}

function nameOf(prefix: string, { number, protocol }: Port): string {
  return `${prefix}_PORT_${number}_${protocol.toUpperCase()}`
}

function placeOf({ address }: LinkedContainer, { number, protocol }: Port): string {
  return `${protocol}://${address}:${number}`
}

/** A name without a value is none. */
function isShown(entry: string): boolean {
  return entry.includes('=') && !/^(?:PATH|HOME)=/.test(entry)
}
