import assert from 'node:assert/strict'
import { test } from 'node:test'
import { containerElements, difference, elementCommands, networkElements } from './element.ts'
import type { FilterContainer, FilterNetwork, HostPort } from './types.ts'

const NET: FilterNetwork = {
  id: 'n',
  bridge: 'br-1',
  subnet: '172.30.0.0/16',
  internal: false,
  icc: true,
  masquerade: true,
}
const WEB: FilterContainer = {
  container: 'c',
  via: { bridge: 'br-1', address: '172.30.0.2', address6: 'fd00::2' },
  endpoints: [{ bridge: 'br-1', address: '172.30.0.2', address6: 'fd00::2' }],
  links: [],
  ports: [],
}

const texts = (elements: ReturnType<typeof networkElements>): readonly string[] =>
  elements.map(({ set, key, value }) => `${set} ${key}${value === undefined ? '' : ` : ${value}`}`)

const CASES: readonly (readonly [string, Partial<FilterNetwork>, readonly string[]])[] = [
  ['a plain one leaves by masquerading', {}, ['subnets4 172.30.0.0/16', 'masquerade4 172.30.0.0/16']],
  ['one without it keeps its addresses', { masquerade: false }, ['subnets4 172.30.0.0/16']],
  [
    'one with a source leaves as that',
    { source: '192.0.2.1' },
    ['subnets4 172.30.0.0/16', 'source4 172.30.0.0/16 : 192.0.2.1'],
  ],
  ['an internal one does not leave', { internal: true }, ['internal "br-1"', 'subnets4 172.30.0.0/16']],
  ['one without traffic inside', { icc: false, masquerade: false }, ['closed "br-1"', 'subnets4 172.30.0.0/16']],
  ['a routed one', { mode: 'routed' }, ['subnets4 172.30.0.0/16', 'routed4 "br-1"']],
  [
    'one of both families',
    { subnet6: 'fd00::/64', masquerade6: false, mode6: 'nat-unprotected' },
    ['subnets4 172.30.0.0/16', 'masquerade4 172.30.0.0/16', 'subnets6 fd00::/64', 'unprotected6 "br-1"'],
  ],
]

for (const [name, facts, wanted] of CASES) {
  test(`networkElements(): ${name}`, () => {
    const found = texts(networkElements({ ...NET, ...facts }))
    assert.deepEqual(found, ['bridges "br-1"', 'same "br-1" . "br-1"', ...wanted])
  })
}

const port = (hostIp: string, facts: Partial<HostPort> = {}): HostPort => ({
  containerPort: 80,
  protocol: 'tcp',
  hostPort: 8080,
  hostIp,
  ...facts,
})

const PORTS: readonly (readonly [string, HostPort, readonly string[]])[] = [
  ['everywhere', port('0.0.0.0'), ['open4 172.30.0.2 . tcp . 80', 'everywhere4 tcp . 8080 : 172.30.0.2 . 80']],
  [
    'at one address',
    port('127.0.0.1', { protocol: 'udp' }),
    ['open4 172.30.0.2 . udp . 80', 'published4 127.0.0.1 . udp . 8080 : 172.30.0.2 . 80'],
  ],
  ['everywhere, by IPv6', port('::'), ['open6 fd00::2 . tcp . 80', 'everywhere6 tcp . 8080 : fd00::2 . 80']],
  ['::1, which the kernel does not translate', port('::1'), []],
]

for (const [name, published, wanted] of PORTS) {
  test(`containerElements(): published ${name}`, () => {
    assert.deepEqual(texts(containerElements({ ...WEB, ports: [published] }, [NET])), wanted)
  })
}

test('containerElements(): one port published twice is open once', () => {
  const ports = [port('0.0.0.0'), port('0.0.0.0', { hostPort: 8081 })]
  assert.deepEqual(texts(containerElements({ ...WEB, ports }, [NET])), [
    'open4 172.30.0.2 . tcp . 80',
    'everywhere4 tcp . 8080 : 172.30.0.2 . 80',
    'everywhere4 tcp . 8081 : 172.30.0.2 . 80',
  ])
})

test('containerElements(): nothing is published on an internal network, one that is not there, or without an address', () => {
  const ports = [port('0.0.0.0')]
  assert.deepEqual(containerElements({ ...WEB, ports }, [{ ...NET, internal: true }]), [])
  assert.deepEqual(containerElements({ ...WEB, ports }, []), [])
  assert.deepEqual(containerElements({ ...WEB, via: { bridge: 'br-1' }, ports }, [NET]), [])
})

test('containerElements(): a routed network opens the port and translates nothing', () => {
  const found = containerElements({ ...WEB, ports: [port('0.0.0.0')] }, [{ ...NET, mode: 'routed' }])
  assert.deepEqual(texts(found), ['open4 172.30.0.2 . tcp . 80'])
})

test('containerElements(): a link opens exactly the ports of the other, one way', () => {
  const links = [{ address: '172.30.0.9', ports: ['3306/tcp', '53/udp'] }]
  assert.deepEqual(texts(containerElements({ ...WEB, links }, [NET])), [
    'links4 172.30.0.2 . 172.30.0.9 . tcp . 3306',
    'links4 172.30.0.2 . 172.30.0.9 . udp . 53',
  ])
})

test('elementCommands() changes each set once; what is deleted has no value', () => {
  const before = [
    { set: 'm', key: 'a', value: '1' },
    { set: 's', key: 'x' },
  ]
  const after = [
    { set: 'm', key: 'a', value: '2' },
    { set: 'm', key: 'b', value: '3' },
    { set: 's', key: 'x' },
  ]
  const { gone, come } = difference(before, after)
  assert.equal(elementCommands('delete', 't', gone), 'delete element inet t m { a }\n')
  assert.equal(elementCommands('add', 't', come), 'add element inet t m { a : 2, b : 3 }\n')
})
