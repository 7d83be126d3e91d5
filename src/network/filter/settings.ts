import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { errnoOf, unavailable } from '#base'
import type { FilterNetwork } from './types.ts'

const IPV4 = 'net/ipv4/ip_forward'
const IPV6 = 'net/ipv6/conf/all/forwarding'
const BRIDGED = ['net/bridge/bridge-nf-call-iptables', 'net/bridge/bridge-nf-call-ip6tables'] as const

/** The kernel's settings without which the rules for these networks would lead nowhere, or could be passed by. */
export function applySettings(networks: readonly FilterNetwork[]): void {
  if (networks.length === 0) return
  set(IPV4, '1')
  if (networks.some(({ subnet6 }) => subnet6 !== undefined)) forwardIpv6()
  for (const { bridge, internal, subnet } of networks) {
    // Only so can the host reach a published port at its own 127.0.0.1; what comes in by a link is dropped.
    if (!internal && subnet !== undefined) set(`net/ipv4/conf/${bridge}/route_localnet`, '1')
  }
  if (networks.some(({ icc }) => !icc)) seeBridged()
}

/** «on», «off»; undefined where the kernel has no such setting. */
export function forwardingState(): string | undefined {
  const value = read(IPV4)
  return value === undefined ? undefined : value === '1' ? 'on' : 'off'
}

/** A host that forwards hears no router advertisements unless it is told to: it would lose its own way out. */
function forwardIpv6(): void {
  if (read(IPV6) !== '0') return
  for (const link of readdirSync('/proc/sys/net/ipv6/conf')) {
    const name = `net/ipv6/conf/${link}/accept_ra`
    if (read(name) === '1') set(name, '2')
  }
  set(IPV6, '1')
}

/** Packets between two ports of one bridge pass by the filter unless the kernel is told to show them. */
function seeBridged(): void {
  if (read(BRIDGED[0]) === undefined) {
    throw unavailable(
      'cannot keep the containers of a network apart (enable_icc=false): the kernel module br_netfilter is not loaded; load it by modprobe br_netfilter',
    )
  }
  for (const name of BRIDGED) set(name, '1')
}

function set(name: string, value: string): void {
  const known = read(name)
  if (known !== undefined && known !== value) writeFileSync(`/proc/sys/${name}`, value)
}

function read(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
