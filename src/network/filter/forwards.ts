import type { FilterPlace, HostPort, Protocol } from './types.ts'

/** Something to be forwarded by a program, where the kernel cannot. */
export interface PortForward {
  readonly protocol: Protocol
  readonly listen: { readonly ip: string; readonly port: number }
  readonly to: { readonly ip: string; readonly port: number }
}

/**
 * Published ports of IPv6 addresses: the kernel translates to IPv6 addresses only, and never what is sent to ::1 or from
 * a link-local address.
 */
export function forwardsOf(via: FilterPlace | undefined, ports: readonly HostPort[]): readonly PortForward[] {
  const ip = via?.address6 ?? via?.address
  if (ip === undefined) return []
  return ports
    .filter(({ hostIp, protocol }) => hostIp.includes(':') && protocol !== 'sctp')
    .map(({ protocol, hostIp, hostPort, containerPort }) => ({
      protocol,
      listen: { ip: hostIp, port: hostPort },
      to: { ip, port: containerPort },
    }))
}
