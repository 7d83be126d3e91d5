import type { PortJson } from '#wire'

/**
 * «443/tcp, 8000-8005/tcp, 0.0.0.0:8080->80/tcp»: neighbours that are published alike share one range; those published under
 * another number come last, as docker shows them.
 */
export function formatPorts(ports: readonly PortJson[]): string {
  const mapped: string[] = []
  const ranges: Range[] = []
  for (const port of ports.toSorted(byNumber)) {
    const { IP = '', PublicPort, PrivatePort, Type } = port
    if (IP !== '' && PublicPort !== PrivatePort) {
      mapped.push(`${hostOf(IP)}:${PublicPort ?? 0}->${PrivatePort}/${Type}`)
      continue
    }
    const open = ranges.findLast((range) => range.ip === IP && range.type === Type)
    if (open?.last === PrivatePort - 1) open.last = PrivatePort
    else ranges.push({ ip: IP, type: Type, first: PrivatePort, last: PrivatePort })
  }
  return [...ranges.map(rangeText), ...mapped].join(', ')
}

interface Range {
  readonly ip: string
  readonly type: string
  readonly first: number
  last: number
}

function byNumber(one: PortJson, other: PortJson): number {
  return one.PrivatePort - other.PrivatePort || ((one.IP ?? '') < (other.IP ?? '') ? -1 : 1)
}

function rangeText({ ip, type, first, last }: Range): string {
  const numbers = first === last ? String(first) : `${first}-${last}`
  return `${ip === '' ? '' : `${hostOf(ip)}:${numbers}->`}${numbers}/${type}`
}

function hostOf(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip
}
