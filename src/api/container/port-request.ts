import { isIP } from 'node:net'
import { invalid } from '#base'
import type { PortBinding } from '#engine'
import type { HostConfigBody } from '#wire'

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const
const MAX_PORT = 65_535

/** `HostConfig.PortBindings` as ports to be published. Throws `invalid` in Docker's words. */
export function portRequests(bindings: HostConfigBody['PortBindings']): readonly PortBinding[] {
  return Object.entries(bindings ?? {}).flatMap(([key, hosts]) => {
    const port = containerPort(key)
    // An empty list asks for one that is free, as -p 80 does.
    const asked = hosts === null || hosts.length === 0 ? [{ HostIp: '', HostPort: '' }] : hosts
    return asked.map(({ HostIp, HostPort }) => ({ ...port, ...hostPlace(HostIp, HostPort) }))
  })
}

function containerPort(key: string): Pick<PortBinding, 'containerPort' | 'protocol'> {
  const [port = '', word = 'tcp'] = key.split('/')
  const protocol = PROTOCOLS.find((known) => known === word.toLowerCase())
  if (!/^\d{1,5}$/.test(port) || Number(port) > MAX_PORT || protocol === undefined) {
    throw invalid(`invalid port specification: "${protocol === undefined ? key : port}"`)
  }
  return { containerPort: Number(port), protocol }
}

function hostPlace(ip: string, port: string): Pick<PortBinding, 'hostIp' | 'hostPort'> {
  if (ip !== '' && (isIP(ip) === 0 || ip.includes('%'))) throw invalid(`invalid IP address: ${ip}`)
  return { ...(ip !== '' && { hostIp: ip }), ...hostPort(port) }
}

function hostPort(text: string): Pick<PortBinding, 'hostPort'> {
  const [number = ''] = text.split('/')
  if (number === '') return {}
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(number) ?? []
  if (from === undefined || Number(to) < Number(from) || Number(to) > MAX_PORT) {
    throw invalid(`invalid port specification: "${text}"`)
  }
  return { hostPort: to === from ? Number(from) : { from: Number(from), to: Number(to) } }
}

/** «80», «80/udp» and «80-90/tcp» with their protocol. */
export function checkExposedPort(text: string): string {
  const [, from, to = from, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? []
  if (from === undefined || Number(to) < Number(from) || Number(to) > MAX_PORT) {
    throw invalid(`invalid JSON: invalid port specification: "${text}"`)
  }
  return `${text.split('/')[0]}/${protocol}`
}
