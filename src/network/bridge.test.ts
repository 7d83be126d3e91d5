import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOurs } from './bridge.ts'

test('isOurs() knows the links of endpoints from those that somebody else plugged into a bridge', () => {
  const ports = [
    { kind: 'veth', name: 'veth01234abc' },
    { kind: 'veth', name: 'vm-uplink' },
    { kind: 'tun', name: 'veth01234abc' },
    { kind: 'vlan', name: 'eth0.10' },
  ]
  assert.deepEqual(ports.filter(isOurs), ports.slice(0, 1))
})
