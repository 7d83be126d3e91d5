import { readFileSync } from 'node:fs'
import { EngineError, errnoOf, internal, type Log, messageOf } from '#base'
import { holdPort } from '#kernel'
import type { HostPort, Protocol } from './types.ts'
import { clashes, type HostIp, placeText, type PublishWish, type WantedPlace, wantedPlaces } from './wanted.ts'

export interface ReserveRequest extends PublishWish {
  readonly container: string
  /** The container's name and its endpoint's id, for what is said where it fails. */
  readonly name: string
  readonly endpoint: string
  readonly address?: string
  /** The network's address where none is asked for. */
  readonly hostBinding?: string
  /** False: nobody would forward what comes by IPv6; it is published only where that is asked for. */
  readonly ipv6: boolean
}

/** The ports of the host that this engine's containers have. */
export interface Ports {
  /** Chooses and holds ports; all of them or, with an error in Docker's words, none. */
  reserve(request: ReserveRequest): Promise<readonly HostPort[]>
  /** Holds them again. What somebody else took in the meantime is told in the log and stays the container's. */
  restore(ports: readonly (HostPort & { readonly container: string })[]): Promise<void>
  /** Idempotent. */
  release(container: string): void
}

export interface PortsOptions {
  /** The host's address for ports that name none; all where absent. */
  readonly publishDefault?: string | undefined
  readonly log: Log
}

interface Held extends HostPort {
  /** Absent where somebody else listens for us, or the kernel does not know the protocol. */
  readonly hold: Disposable | undefined
}

export function createPorts({ publishDefault, log }: PortsOptions): Ports {
  const held = new Map<string, Held[]>()
  const last = new Map<Protocol, number>()
  const all = (): readonly Held[] => [...held.values()].flat()
  const release = (container: string): void => {
    for (const { hold } of held.get(container) ?? []) hold?.[Symbol.dispose]()
    held.delete(container)
  }
  return {
    async reserve(request) {
      release(request.container)
      const own: Held[] = []
      held.set(request.container, own)
      try {
        for (const wanted of wantedPlaces(request, request.hostBinding ?? publishDefault))
          own.push(...take(wanted, { request, taken: all, last }))
      } catch (error) {
        release(request.container)
        const where = `driver failed programming external connectivity on endpoint ${request.name} (${request.endpoint})`
        throw internal(`${where}: ${messageOf(error)}`, { cause: error })
      }
      return own.map(({ hold: _hold, ...port }) => port)
    },
    async restore(ports) {
      for (const { container, ...port } of ports) {
        const own = held.get(container) ?? []
        held.set(container, own)
        own.push({ ...port, hold: holdAgain(port, log) })
      }
    },
    release,
  }
}

interface Scene {
  readonly request: ReserveRequest
  readonly taken: () => readonly Held[]
  /** The number that was chosen last of each protocol. */
  readonly last: Map<Protocol, number>
}

/** One number at all addresses of a place. */
function take(wanted: WantedPlace, scene: Scene): readonly Held[] {
  const { protocol, range, hostIps } = wanted
  const ips = hostIps.filter(({ ifThere }) => !ifThere || scene.request.ipv6)
  const numbers = range ? rising(range) : ephemeral(scene.last.get(protocol))
  let failure: unknown
  for (const hostPort of numbers) {
    const places = ips.map(({ address }) => ({ ...wanted, hostIp: address, hostPort }))
    const ours = scene.taken()
    const clash = places.find((place) => ours.some((port) => clashes(port, place)))
    if (clash) {
      failure ??= new EngineError('internal', `Bind for ${placeText(clash)} failed: port is already allocated`)
      continue
    }
    try {
      const found = holdAll(ips, { wanted, hostPort, target: scene.request.address ?? '' })
      if (!range) scene.last.set(protocol, hostPort)
      return found
    } catch (error) {
      if (errnoOf(error) !== 'EADDRINUSE') throw error
      failure = error
    }
  }
  if (range && range.from === range.to && failure !== undefined) throw failure
  throw internal('all ports are allocated')
}

function holdAll(
  ips: readonly HostIp[],
  { wanted, hostPort, target }: { readonly wanted: WantedPlace; readonly hostPort: number; readonly target: string },
): readonly Held[] {
  const { containerPort, protocol } = wanted
  const found: Held[] = []
  for (const { address: hostIp, ifThere } of ips) {
    const port = { containerPort, protocol, hostIp, hostPort }
    try {
      found.push({ ...port, hold: hold(port) })
    } catch (error) {
      if (ifThere && (errnoOf(error) === 'EAFNOSUPPORT' || errnoOf(error) === 'EADDRNOTAVAIL')) continue
      for (const one of found) one.hold?.[Symbol.dispose]()
      throw bindError(port, target, error)
    }
  }
  return found
}

/** IPv6 is only tried: it is listened at by the one that forwards it. */
function hold({ protocol, hostIp, hostPort }: HostPort): Disposable | undefined {
  const hold = holdPort(protocol, { address: hostIp, port: hostPort })
  if (!hostIp.includes(':')) return hold
  hold?.[Symbol.dispose]()
  return undefined
}

function holdAgain(port: HostPort, log: Log): Disposable | undefined {
  try {
    return port.hostIp.includes(':') ? undefined : hold(port)
  } catch (error) {
    log.warn('cannot hold a published port', { port: placeText(port), error: messageOf(error) })
    return undefined
  }
}

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
}

/** Docker's words; the errno stays. */
function bindError(port: HostPort, target: string, cause: unknown): unknown {
  const errno = errnoOf(cause)
  const words = errno === undefined ? undefined : WORDS[errno]
  if (errno === undefined || words === undefined) return cause
  const way = `${placeText(port)}:${target}:${port.containerPort}/${port.protocol}`
  return new BindError(`failed to bind host port for ${way}: ${words}`, errno, cause)
}

class BindError extends EngineError {
  readonly code: string

  constructor(message: string, code: string, cause: unknown) {
    super('internal', message, { cause })
    this.code = code
  }
}

function* rising({ from, to }: { readonly from: number; readonly to: number }): Iterable<number> {
  for (let number = from; number <= to; number += 1) yield number
}

/** All ports that the host gives to nobody by name, from the one behind the last, round once. */
function* ephemeral(last: number | undefined): Iterable<number> {
  const { from, to } = ephemeralRange()
  const start = last === undefined || last < from || last >= to ? from : last + 1
  yield* rising({ from: start, to })
  yield* rising({ from, to: start - 1 })
}

const RANGE = '/proc/sys/net/ipv4/ip_local_port_range'
const USUAL = { from: 49_153, to: 65_535 } as const

function ephemeralRange(): { readonly from: number; readonly to: number } {
  const [from = 0, to = 0] = readFileSync(RANGE, 'utf8').trim().split(/\s+/).map(Number)
  return from > 0 && to >= from ? { from, to } : USUAL
}
