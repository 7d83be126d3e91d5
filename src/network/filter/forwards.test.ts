import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardsOf } from './forwards.ts'
import type { HostPort } from './types.ts'

const port = (hostIp: string, protocol: HostPort['protocol'] = 'tcp'): HostPort => ({
  containerPort: 80,
  protocol,
  hostIp,
  hostPort: 8080,
})

test('forwardsOf(): what is asked by IPv6 goes to the container’s own IPv6 address, else to its IPv4 one', () => {
  const ports = [port('0.0.0.0'), port('::'), port('::1', 'udp'), port('::', 'sctp')]
  const to = (ip: string) => [
    { protocol: 'tcp', listen: { ip: '::', port: 8080 }, to: { ip, port: 80 } },
    { protocol: 'udp', listen: { ip: '::1', port: 8080 }, to: { ip, port: 80 } },
  ]
  assert.deepEqual(forwardsOf({ bridge: 'b', address: '10.0.0.2' }, ports), to('10.0.0.2'))
  assert.deepEqual(forwardsOf({ bridge: 'b', address: '10.0.0.2', address6: 'fd00::2' }, ports), to('fd00::2'))
  assert.deepEqual(forwardsOf(undefined, ports), [])
})
