import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipamConfig } from './network-ipam.ts'

const NONE = { subnet: [], gateway: [], 'ip-range': [], 'aux-address': [] }

test('ipamConfig() puts ranges, gateways and addresses to their subnets', () => {
  const config = ipamConfig({
    subnet: ['10.1.0.0/16', 'fd00::/64'],
    gateway: ['fd00::1', '10.1.0.1'],
    'ip-range': ['10.1.2.0/24'],
    'aux-address': ['a=10.1.2.3', 'b=fd00::5', 'c=10.1.2.4'],
  })
  assert.deepEqual(config, [
    {
      Subnet: '10.1.0.0/16',
      IPRange: '10.1.2.0/24',
      Gateway: '10.1.0.1',
      AuxiliaryAddresses: { a: '10.1.2.3', c: '10.1.2.4' },
    },
    { Subnet: 'fd00::/64', Gateway: 'fd00::1', AuxiliaryAddresses: { b: 'fd00::5' } },
  ])
  assert.deepEqual(ipamConfig(NONE), [])
  // What is no block the daemon tells.
  assert.deepEqual(ipamConfig({ ...NONE, subnet: ['nosuch'] }), [{ Subnet: 'nosuch' }])
})

for (const [flags, message] of [
  [{ gateway: ['10.1.1.1'] }, 'every ip-range or gateway must have a corresponding subnet'],
  [{ subnet: ['10.1.0.0/16'], gateway: ['10.2.0.1'] }, 'no matching subnet for gateway 10.2.0.1'],
  [{ subnet: ['10.1.0.0/16'], 'ip-range': ['10.2.0.0/24'] }, 'no matching subnet for range 10.2.0.0/24'],
  [{ subnet: ['10.1.0.0/16'], 'aux-address': ['x'] }, 'no matching subnet for aux-address '],
  [{ subnet: ['10.1.0.0/16', '10.1.1.0/24'] }, 'multiple overlapping subnet configuration is not supported'],
  [
    { subnet: ['10.1.0.0/16', '10.2.0.0/16'], gateway: ['10.1.0.1', '10.1.0.2'] },
    'cannot configure multiple gateways (10.1.0.2, 10.1.0.1) on the same subnet (10.1.0.0/16)',
  ],
] as const) {
  test(`ipamConfig() refuses ${JSON.stringify(flags)} in the words of Docker`, () => {
    assert.throws(() => ipamConfig({ ...NONE, ...flags }), { message })
  })
}
