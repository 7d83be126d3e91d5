import { spawnSync } from 'node:child_process'
import { createNetworkNamespace, removeNetworkNamespace } from '#kernel'
import { join } from 'node:path'
import assert from 'node:assert/strict'

/** Addresses of the lab: the host (where the test runs), a neighbour on its LAN, and somebody behind a router. */
export const LAN = {
  host: { four: '198.51.100.1', six: '2001:db8:1::1' },
  neighbour: { four: '198.51.100.2', six: '2001:db8:1::2' },
  far: { four: '203.0.113.2', six: '2001:db8:2::2' },
} as const
/** Between the host and the router, and between the router and who is behind it. */
const TRANSIT = { four: '192.0.2.1', six: '2001:db8:3::1' } as const
const ROUTER = { four: '192.0.2.2', six: '2001:db8:3::2' } as const
const BEHIND = { four: '203.0.113.1', six: '2001:db8:2::1' } as const

export interface Lan extends Disposable {
  /** Files of the namespaces. */
  readonly neighbour: string
  readonly router: string
  readonly far: string
}

/** Everybody's way to other networks leads by the host. Made in the network namespace of the test, which must be one of its own; files go to `folder`. */
export function openLan(folder: string): Lan {
  const lan = { neighbour: join(folder, 'neighbour'), router: join(folder, 'router'), far: join(folder, 'far') }
  for (const path of Object.values(lan)) createNetworkNamespace(path)
  run('ip link set lo up')
  for (const path of Object.values(lan)) within(path, 'ip link set lo up')
  run('ip link add lan0 type veth peer name eth0')
  run(`ip link set eth0 netns ${lan.neighbour}`)
  run('ip link add wan0 type veth peer name eth0')
  run(`ip link set eth0 netns ${lan.router}`)
  within(lan.router, `ip link add eth1 type veth peer name eth0 netns ${lan.far}`)
  address(undefined, 'lan0', LAN.host)
  address(lan.neighbour, 'eth0', LAN.neighbour)
  address(undefined, 'wan0', TRANSIT)
  address(lan.router, 'eth0', ROUTER)
  address(lan.router, 'eth1', BEHIND)
  address(lan.far, 'eth0', LAN.far)
  within(lan.router, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')
  route(undefined, '203.0.113.0/24 2001:db8:2::/64', ROUTER)
  route(lan.router, 'default default', TRANSIT)
  route(lan.far, 'default default', BEHIND)
  route(lan.neighbour, 'default default', LAN.host)
  return {
    ...lan,
    [Symbol.dispose]() {
      for (const path of Object.values(lan)) removeNetworkNamespace(path)
    },
  }
}

/** A command in a namespace; it must succeed. */
export function within(namespace: string | undefined, command: string): string {
  return run(namespace === undefined ? command : `nsenter --net=${namespace} ${command}`)
}

function run(command: string): string {
  const [file = '', ...args] = command.split(' ')
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' })
  assert.equal(status, 0, `${command}: ${stderr}`)
  return stdout
}

interface Both {
  readonly four: string
  readonly six: string
}

function address(path: string | undefined, link: string, { four, six }: Both): void {
  within(path, `ip addr add ${four}/24 dev ${link}`)
  within(path, `ip -6 addr add ${six}/64 dev ${link} nodad`)
  within(path, `ip link set ${link} up`)
}

/** `destinations`: one of each family. */
function route(path: string | undefined, destinations: string, { four, six }: Both): void {
  const [one = '', other = ''] = destinations.split(' ')
  within(path, `ip route replace ${one} via ${four}`)
  within(path, `ip -6 route replace ${other} via ${six}`)
}
