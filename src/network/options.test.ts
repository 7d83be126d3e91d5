import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGatewayModes, checkOptions, flagOf, mtuOf, OPTION, upperSettings } from './options.ts'

test('flagOf() reads Go’s booleans', () => {
  for (const [text, value] of [
    ['true', true],
    ['T', true],
    ['1', true],
    ['FALSE', false],
    ['0', false],
  ] as const)
    assert.equal(flagOf({ [OPTION.icc]: text }, OPTION.icc, !value), value, text)
  assert.equal(flagOf({}, OPTION.icc, true), true)
})

test('mtuOf() knows only what was asked for', () => {
  assert.deepEqual(
    [mtuOf({ [OPTION.mtu]: '1400' }), mtuOf({ [OPTION.mtu]: '0' }), mtuOf({})],
    [1400, undefined, undefined],
  )
})

test('checkOptions() lets options through that nobody knows', () => {
  checkOptions({ 'com.example.thing': 'x', [OPTION.mtu]: '1500', [OPTION.icc]: 'false' })
  assert.throws(() => checkOptions({ [OPTION.mtu]: '70000' }), {
    kind: 'invalid',
    message: 'invalid MTU number: 70000',
  })
})

test('checkOptions() refuses what the packet filter could not read as one address or link', () => {
  for (const [name, value] of [
    [OPTION.source, '10.0.0.1 }; flush ruleset'],
    [OPTION.source, '::1'],
    [OPTION.source6, 'fe80::1%eth0'],
    [OPTION.hostBinding, 'localhost'],
  ] as const)
    assert.throws(() => checkOptions({ [name]: value }), {
      kind: 'invalid',
      message: `failed to parse ${name} value: ${value} (nil ip)`,
    })
  for (const bridge of ['a"}', 'br*', 'br+', 'br 0', '../x', 'a\nb'])
    assert.throws(() => checkOptions({ [OPTION.bridgeName]: bridge }), { kind: 'invalid' }, bridge)
  checkOptions({ [OPTION.source]: '10.0.0.1', [OPTION.source6]: 'fd00::1', [OPTION.bridgeName]: 'br-web.1' })
})

test('upperSettings() has Docker’s defaults', () => {
  assert.deepEqual(upperSettings('macvlan', {}), { parent: undefined, mode: 'bridge', flag: 'bridge' })
  assert.deepEqual(upperSettings('ipvlan', { parent: 'eth0', ipvlan_mode: 'l3s', ipvlan_flag: 'vepa' }), {
    parent: 'eth0',
    mode: 'l3s',
    flag: 'vepa',
  })
})

test('checkGatewayModes() takes the words there are, and isolation for internal networks alone', () => {
  for (const mode of ['nat', 'nat-unprotected', 'routed']) checkGatewayModes({ [OPTION.mode]: mode }, false)
  checkGatewayModes({ [OPTION.mode]: 'isolated', [OPTION.mode6]: 'isolated' }, true)
  assert.throws(() => checkGatewayModes({ [OPTION.mode6]: 'isolated' }, false), { kind: 'invalid' })
  for (const mode of ['', 'NAT', 'strange'])
    assert.throws(() => checkGatewayModes({ [OPTION.mode]: mode }, false), {
      kind: 'invalid',
      message: `failed to parse ${OPTION.mode} value: ${mode} (unknown gateway mode ${mode})`,
    })
})
