import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWarnings, parseCreate } from './create-request.ts'

const OLD = { major: 1, minor: 43 }
const NEW = { major: 1, minor: 51 }

const create = (body: object, version = NEW) =>
  parseCreate({ Image: 'x', ...body }, { name: undefined, platform: undefined, version })
const host = (HostConfig: object) => create({ HostConfig })
const endpoints = (NetworkMode: string, EndpointsConfig: object, more: object = {}, version = NEW) =>
  create({ ...more, HostConfig: { NetworkMode }, NetworkingConfig: { EndpointsConfig } }, version)

test('parseCreate() reads ports, names and links', () => {
  const request = host({
    PortBindings: {
      '80/tcp': [
        { HostIp: '127.0.0.1', HostPort: '8080' },
        { HostIp: '::1', HostPort: '90-95' },
      ],
      '53/udp': null,
      '9/tcp': [{ HostPort: '' }],
    },
    PublishAllPorts: true,
    Dns: ['1.1.1.1'],
    DnsSearch: ['a.example'],
    DnsOptions: ['ndots:2'],
    ExtraHosts: ['a:1.2.3.4', 'b:host-gateway', 'c:fd00::1'],
    Links: ['db:sql'],
  })
  assert.deepEqual(request.ports, [
    { containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: 8080 },
    { containerPort: 80, protocol: 'tcp', hostIp: '::1', hostPort: { from: 90, to: 95 } },
    { containerPort: 53, protocol: 'udp' },
    { containerPort: 9, protocol: 'tcp' },
  ])
  assert.deepEqual(
    [request.publishAll, request.links, request.dns, request.extraHosts],
    [
      true,
      ['db:sql'],
      { servers: ['1.1.1.1'], search: ['a.example'], options: ['ndots:2'] },
      ['a:1.2.3.4', 'b:host-gateway', 'c:fd00::1'],
    ],
  )
})

test('parseCreate() reads endpoints, that of the mode first', () => {
  const settings = {
    IPAMConfig: { IPv4Address: '10.0.0.5', IPv6Address: 'fd00::5', LinkLocalIPs: ['169.254.1.1'] },
    Aliases: ['a'],
    Links: ['db:sql'],
    MacAddress: '02:42:00:00:00:01',
    DriverOpts: { k: 'v' },
    GwPriority: 7,
  }
  const plain = { linkLocal: [], aliases: [], links: [], driverOptions: {}, gwPriority: 0 }
  const { networks } = endpoints('two', { one: {}, two: settings })
  assert.deepEqual(networks, [
    {
      network: 'two',
      address: '10.0.0.5',
      address6: 'fd00::5',
      linkLocal: ['169.254.1.1'],
      macAddress: '02:42:00:00:00:01',
      aliases: ['a'],
      links: ['db:sql'],
      driverOptions: { k: 'v' },
      gwPriority: 7,
    },
    { network: 'one', ...plain },
  ])
  assert.deepEqual(endpoints('default', { default: {} }).networks, [{ network: 'bridge', ...plain }])
  assert.deepEqual(endpoints('host', { host: {} }).networks, [])
  assert.deepEqual(create({ HostConfig: { NetworkMode: 'one', Links: ['db:sql'] } }).networks, [
    { network: 'one', ...plain, links: ['db:sql'] },
  ])
})

test('parseCreate() reads the container\u2019s own address by the version of the API', () => {
  const MacAddress = '02:42:00:00:00:01'
  const other = { one: { MacAddress: '02:42:00:00:00:02' } }
  assert.equal(endpoints('one', {}, { MacAddress }).networks[0]?.macAddress, MacAddress)
  assert.equal(endpoints('one', other, {}, OLD).networks[0]?.macAddress, undefined)
  assert.equal(endpoints('one', other, { MacAddress }, OLD).networks[0]?.macAddress, MacAddress)
  assert.throws(() => endpoints('one', other, { MacAddress }), {
    message:
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
  })
  assert.throws(() => endpoints('one', { one: {}, two: {} }, {}, OLD), {
    message: 'Container cannot be created with multiple network endpoints: one, two',
  })
  assert.throws(() => endpoints('host', {}, { MacAddress }, OLD), {
    message: 'conflicting options: mac-address and the network mode',
  })
})

test('createWarnings() says what is carried out otherwise than it was asked', () => {
  const warnings = (body: object, version = NEW) => createWarnings(create(body, version), body, version)
  const ports = { '80/tcp': [{ HostPort: '80' }] }
  assert.deepEqual(warnings({ HostConfig: { NetworkMode: 'host', PortBindings: ports } }), [
    'Published ports are discarded when using host network mode',
  ])
  const MacAddress = '02:42:00:00:00:01'
  assert.match(warnings({ MacAddress }).join(), /^The container-wide MacAddress field is now deprecated\./)
  assert.deepEqual(warnings({ MacAddress }, OLD), [])
  assert.deepEqual(warnings({ MacAddress, NetworkingConfig: { EndpointsConfig: { bridge: { MacAddress } } } }), [])
})

for (const [HostConfig, config, message] of [
  [{ PortBindings: { 'x/tcp': [{}] } }, {}, 'invalid port specification: "x"'],
  [{ PortBindings: { '80-81/tcp': [{}] } }, {}, 'invalid port specification: "80-81"'],
  [{ PortBindings: { '80/tcp': [{ HostPort: 'x' }] } }, {}, 'invalid port specification: "x"'],
  [{ PortBindings: { '80/tcp': [{ HostIp: 'x' }] } }, {}, 'invalid IP address: x'],
  [{ PortBindings: { '80/tcp': [{ HostIp: 'fd00::1%eth0' }] } }, {}, 'invalid IP address: fd00::1%eth0'],
  [{ ExtraHosts: ['x'] }, {}, 'bad format for add-host: "x"'],
  [{ ExtraHosts: ['x:nosuch'] }, {}, 'invalid IP address in add-host: "nosuch"'],
  [{ Links: ['a:b:c'] }, {}, 'bad format for links: a:b:c'],
  [{ Links: [''] }, {}, 'empty string specified for links'],
  [{ NetworkMode: 'container:' }, {}, 'invalid network mode: invalid container format container:<name|id>'],
  [{ NetworkMode: 'container:c' }, { Hostname: 'h' }, 'conflicting options: hostname and the network mode'],
  [{ NetworkMode: 'container:c', Dns: ['1.1.1.1'] }, {}, 'conflicting options: dns and the network mode'],
  [
    { NetworkMode: 'container:c', ExtraHosts: ['a:1.1.1.1'] },
    {},
    'conflicting options: custom host-to-IP mapping and the network mode',
  ],
  [
    { NetworkMode: 'container:c', PublishAllPorts: true },
    {},
    'conflicting options: port publishing and the container type network mode',
  ],
  [
    { NetworkMode: 'container:c' },
    { ExposedPorts: { '80/tcp': {} } },
    'conflicting options: port exposing and the container type network mode',
  ],
  [
    { NetworkMode: 'container:c', Links: ['a'] },
    {},
    "conflicting options: container type network can't be used with links. This would result in undefined behavior",
  ],
  [
    { NetworkMode: 'host', Links: ['a'] },
    {},
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
  ],
] as const) {
  test(`parseCreate() refuses ${JSON.stringify({ ...config, HostConfig })} in the words of Docker`, () => {
    assert.throws(() => create({ ...config, HostConfig }), { kind: 'invalid', message })
  })
}

test('parseCreate() refuses settings of endpoints that are none', () => {
  const bridge = (settings: object | null) => endpoints('bridge', { bridge: settings })
  for (const [settings, message] of [
    [null, 'invalid config for network bridge: EndpointsConfig is nil'],
    [{ MacAddress: 'zz' }, 'invalid config for network bridge: invalid MAC address zz'],
  ] as const)
    assert.throws(() => bridge(settings), { message })
})
