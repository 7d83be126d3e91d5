import { invalid } from '#base'

const PROTOCOLS = new Set(['tcp', 'udp', 'sctp'])
const LAST_PORT = 65535

/** `80`, `53/udp`, `100-102`, `127.0.0.1:8080:80` as the keys of ExposedPorts; `invalid` in Docker's words. */
export function exposedPorts(spec: string): readonly string[] {
  const slash = spec.indexOf('/')
  const protocol = slash < 0 ? 'tcp' : spec.slice(slash + 1).toLowerCase()
  const ports = slash < 0 ? spec : spec.slice(0, slash)
  const range = ports.slice(ports.lastIndexOf(':') + 1)
  if (range === '') throw invalid(`No port specified: ${spec}<empty>`)
  const [first, last] = parseRange(range)
  if (!PROTOCOLS.has(protocol)) throw invalid(`Invalid proto: ${protocol}`)
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`)
}

function parseRange(range: string): readonly [number, number] {
  const [, low = '', high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? []
  const first = Number(low)
  const last = Number(high)
  if (low === '' || first > LAST_PORT || last > LAST_PORT || last < first)
    throw invalid(`Invalid containerPort: ${range}`)
  return [first, last]
}
