import type { HostPort, Protocol } from './types.ts'

/** A port to be published, as asked for. */
export interface WantedPort {
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostIp?: string
  readonly hostPort?: number | { readonly from: number; readonly to: number }
}

export interface PublishWish {
  readonly ports: readonly WantedPort[]
  /** What is exposed is published too, where nothing else is said of it. */
  readonly publishAll: boolean
  /** «80/tcp», «90-91/udp». */
  readonly exposedPorts: readonly string[]
}

/** One port of the host, at one address or at all of both families. */
export interface WantedPlace {
  readonly containerPort: number
  readonly protocol: Protocol
  /** All get the same number. */
  readonly hostIps: readonly HostIp[]
  /** Of these the first that is free; any where absent. */
  readonly range: { readonly from: number; readonly to: number } | undefined
}

export interface HostIp {
  readonly address: string
  /** Left out where the host does not have its family. */
  readonly ifThere: boolean
}

/** What is to be published where, in the order of the wishes. `binding`: the address where none is asked for. */
export function wantedPlaces(wish: PublishWish, binding: string | undefined): readonly WantedPlace[] {
  const asked = new Set(wish.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`))
  const exposed = wish.publishAll ? wish.exposedPorts.flatMap(exposedPorts) : []
  const more = exposed.filter(({ containerPort, protocol }) => !asked.has(`${containerPort}/${protocol}`))
  return [...wish.ports, ...more].map(({ containerPort, protocol, hostIp = '', hostPort = 0 }) => {
    const range = typeof hostPort === 'number' ? { from: hostPort, to: hostPort } : hostPort
    return {
      containerPort,
      protocol,
      hostIps: hostIpsOf(hostIp === '' ? binding : hostIp),
      range: range.from === 0 ? undefined : range,
    }
  })
}

function hostIpsOf(address: string | undefined): readonly HostIp[] {
  if (address !== undefined && address !== '') return [{ address, ifThere: false }]
  return [
    { address: '0.0.0.0', ifThere: false },
    { address: '::', ifThere: true },
  ]
}

function exposedPorts(text: string): readonly WantedPort[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(text)
  if (!match) return []
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])]
  const protocol = match[3] === 'udp' || match[3] === 'sctp' ? match[3] : 'tcp'
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => ({
    containerPort: first + index,
    protocol,
  }))
}

/** Whether one of them takes what the other has: the same address, or all of its family. */
export function clashes(one: Place, other: Place): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false
  if (one.hostIp.includes(':') !== other.hostIp.includes(':')) return false
  return one.hostIp === other.hostIp || isEverywhere(one.hostIp) || isEverywhere(other.hostIp)
}

export type Place = Pick<HostPort, 'protocol' | 'hostPort' | 'hostIp'>

function isEverywhere(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

/** «0.0.0.0:80», «[::]:80». */
export function placeText({ hostIp, hostPort }: Pick<HostPort, 'hostIp' | 'hostPort'>): string {
  return hostIp.includes(':') ? `[${hostIp}]:${hostPort}` : `${hostIp}:${hostPort}`
}
