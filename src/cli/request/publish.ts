import { isIP } from 'node:net'
import { invalid } from '#base'

interface Binding {
  readonly HostIp: string
  readonly HostPort: string
}

interface Range {
  readonly from: number
  readonly to: number
}

const PROTOCOLS = ['tcp', 'udp', 'sctp']
const MAX_PORT = 65_535

/**
 * `-p [[ip:]host:]container[/proto]` and `-p published=…,target=…,protocol=…` as PortBindings; ranges of equal length go port
 * by port, a range for one port is one to choose from. Errors in Docker's words.
 */
export function parsePublish(flags: readonly string[]): Readonly<Record<string, readonly Binding[]>> {
  const bindings: Record<string, Binding[]> = {}
  for (const flag of flags) {
    for (const [key, binding] of parseSpec(flag.includes('=') ? plainSpec(flag) : flag)) {
      bindings[key] = [...(bindings[key] ?? []), binding]
    }
  }
  return bindings
}

function plainSpec(text: string): string {
  const given = new Map([['protocol', 'tcp']])
  for (const field of text.split(',')) {
    const at = field.indexOf('=')
    if (at <= 0) throw invalid(`invalid publish opts format (should be name=value but got '${field}')`)
    given.set(field.slice(0, at), field.slice(at + 1))
  }
  return `${given.get('published') ?? ''}:${given.get('target') ?? ''}/${given.get('protocol') ?? ''}`
}

function parseSpec(text: string): readonly (readonly [string, Binding])[] {
  const parts = text.split(':')
  const [inner = '', outer = ''] = parts.toReversed()
  const ip = parseIp(parts.slice(0, -2).join(':'))
  const [port = '', word = 'tcp'] = inner.split('/')
  const protocol = word.toLowerCase()
  if (port !== '' && !PROTOCOLS.includes(protocol)) throw invalid(`invalid proto: ${protocol}`)
  if (port === '') throw invalid(`no port specified: ${text}<empty>`)
  const inside = range(port, 'containerPort')
  const outside = outer === '' ? undefined : range(outer, 'hostPort')
  const count = inside.to - inside.from + 1
  if (outside && count > 1 && outside.to - outside.from + 1 !== count) {
    throw invalid(`invalid ranges specified for container and host Ports: ${port} and ${outer}`)
  }
  return Array.from({ length: count }, (_, index) => [
    `${inside.from + index}/${protocol}`,
    { HostIp: ip, HostPort: hostPort(outside, index, count) },
  ])
}

function hostPort(outside: Range | undefined, index: number, count: number): string {
  if (!outside) return ''
  const isChoice = count === 1 && outside.to > outside.from
  return isChoice ? `${outside.from}-${outside.to}` : String(outside.from + index)
}

function parseIp(text: string): string {
  if (text.startsWith('[') && !text.endsWith(']')) {
    throw invalid(`invalid IP address ${text}: address ${text}:: missing ']' in address`)
  }
  const ip = text.replace(/^\[(.*)\]$/, '$1')
  if (ip !== '' && isIP(ip) === 0) throw invalid(`invalid IP address: ${ip}`)
  return ip
}

function range(text: string, what: string): Range {
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  if (from === undefined || Number(to) < Number(from) || Number(to) > MAX_PORT)
    throw invalid(`invalid ${what}: ${text}`)
  return { from: Number(from), to: Number(to) }
}

/** `--expose port[-port][/proto]`, a range port by port. Errors in Docker's words. */
export function parseExpose(flags: readonly string[]): readonly string[] {
  return flags.flatMap((text) => {
    if (text.includes(':')) throw invalid(`invalid port format for --expose: ${text}`)
    const [ports = '', protocol = 'tcp'] = text.split('/')
    const [from = '', to = from] = ports.split('-')
    const wrong = [from, to].find((port) => !/^\d{1,5}$/.test(port) || Number(port) > MAX_PORT)
    const why =
      wrong === undefined
        ? `invalid range specified for port: ${ports}`
        : `strconv.ParseUint: parsing "${wrong}": invalid syntax`
    if (wrong !== undefined || Number(to) < Number(from)) {
      throw invalid(`invalid range format for --expose: ${text}, error: ${why}`)
    }
    return Array.from(
      { length: Number(to) - Number(from) + 1 },
      (_, index) => `${Number(from) + index}/${protocol.toLowerCase()}`,
    )
  })
}
