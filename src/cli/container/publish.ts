import { invalid } from '#base'

interface Binding {
  readonly HostIp: string
  readonly HostPort: string
}

/** `-p [[ip:]host:]container[/proto]`, each a port or a range of equal length, as PortBindings. */
export function parsePublish(flags: readonly string[]): Readonly<Record<string, readonly Binding[]>> {
  const bindings: Record<string, Binding[]> = {}
  for (const text of flags) {
    const [, ip = '', host = '', inner = '', protocol = 'tcp'] =
      /^(?:(\[[0-9a-fA-F:]+\]|\d+(?:\.\d+){3}):)?(?:(\d+(?:-\d+)?)?:)?(\d+(?:-\d+)?)(?:\/(tcp|udp|sctp))?$/.exec(
        text,
      ) ?? []
    if (inner === '') throw invalid(`invalid publish opts format (should be name=value but got '${text}')`)
    const outers = host === '' ? [] : range(host)
    const inners = range(inner)
    if (host !== '' && outers.length !== inners.length)
      throw invalid(`invalid ranges specified for container and host Ports: ${inner} and ${host}`)
    for (const [index, port] of inners.entries()) {
      const key = `${port}/${protocol}`
      bindings[key] = [
        ...(bindings[key] ?? []),
        { HostIp: ip.replace(/^\[|\]$/g, ''), HostPort: String(outers[index] ?? '') },
      ]
    }
  }
  return bindings
}

function range(text: string): readonly number[] {
  const [from = 0, to = from] = text.split('-').map(Number)
  if (to < from || to > 65_535) throw invalid(`invalid range format for --publish: ${text}`)
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
