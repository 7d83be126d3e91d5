import { type NetworkRequest, plainAttach } from '#network'
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import {
  attach,
  endpoint,
  inside,
  ip,
  links,
  network,
  withNetworks,
  type SceneOptions,
  type Work,
} from '#test/network-room'
import { temporary } from '#test/temporary'

// The whole test has a network of its own: the «host» of this file is a namespace without a way out.
ownMountNamespace({ network: true })

const ONE = '1'.repeat(64)

const folder = temporary()

after(() => folder[Symbol.dispose]())

let scenes = 0
function scene(work: Work, options: Omit<SceneOptions, 'root'> = {}): Promise<void> {
  scenes += 1
  return withNetworks({ ...options, root: folder.join(`scene${scenes}`) }, work)
}

const V4 = { ipam: [{ subnet: '10.77.0.0/24' }] }

const REFUSED: readonly (readonly [string, Partial<NetworkRequest>, string, string])[] = [
  ['n', {}, 'conflict', 'network with name n already exists'],
  ['', {}, 'invalid', 'invalid name: name is empty'],
  ['bridge', {}, 'forbidden', 'operation is not permitted on predefined bridge network'],
  ['x', { driver: 'nosuch' }, 'not-found', 'plugin "nosuch" not found'],
  ['x', { ipamDriver: 'nosuch' }, 'not-found', 'plugin "nosuch" not found'],
  ['x', { driver: 'host' }, 'forbidden', 'only one instance of "host" network is allowed'],
  ['x', { driver: 'null' }, 'forbidden', 'only one instance of "null" network is allowed'],
  ['x', { ipv4: false }, 'invalid', 'IPv4 or IPv6 must be enabled'],
  [
    'x',
    { ipam: [{ subnet: '10.77.0.0/16' }] },
    'forbidden',
    'invalid pool request: Pool overlaps with other one on this address space',
  ],
  [
    'x',
    { ipam: [{ subnet: '10.1.0.5/24' }] },
    'invalid',
    'invalid network config:\ninvalid subnet 10.1.0.5/24: it should be 10.1.0.0/24',
  ],
  [
    'x',
    { ipam: [{ subnet: 'x' }] },
    'invalid',
    'invalid network config:\ninvalid subnet x: invalid CIDR block notation',
  ],
  [
    'x',
    { ipam: [{ subnet: '10.1.0.0/24', gateway: '10.2.0.1', ipRange: '10.2.0.0/24' }] },
    'invalid',
    "invalid network config:\n* invalid ip-range 10.2.0.0/24: parent subnet 10.1.0.0/24 doesn't contain ip-range\n* invalid gateway 10.2.0.1: parent subnet 10.1.0.0/24 doesn't contain this address",
  ],
  [
    'x',
    { ipam: [{ subnet: '10.1.0.0/24', gateway: '10.1.0.0' }] },
    'internal',
    'failed to allocate gateway (10.1.0.0): Address already in use',
  ],
  [
    'x',
    { ipam: [{ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/24' }] },
    'forbidden',
    "bridge driver doesn't support multiple subnets",
  ],
  [
    'x',
    { options: { 'com.docker.network.driver.mtu': 'x' } },
    'invalid',
    'failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing "x": invalid syntax)',
  ],
  ['x', { options: { 'com.docker.network.driver.mtu': '-1' } }, 'invalid', 'invalid MTU number: -1'],
  [
    'x',
    { options: { 'com.docker.network.bridge.enable_icc': 'maybe' } },
    'invalid',
    'failed to parse com.docker.network.bridge.enable_icc value: maybe (strconv.ParseBool: parsing "maybe": invalid syntax)',
  ],
  ['x', { options: { 'com.docker.network.bridge.name': 'lo' } }, 'internal', 'existing interface lo is not a bridge'],
  ['x', { configFrom: 'n' }, 'not-found', 'configuration network "n" does not exist'],
  [
    'x',
    { driver: 'macvlan', options: { macvlan_mode: 'x' } },
    'invalid',
    "requested macvlan mode 'x' is not valid, 'bridge' mode is the macvlan driver default",
  ],
  [
    'x',
    { driver: 'ipvlan', options: { ipvlan_mode: 'x' } },
    'invalid',
    "requested ipvlan mode 'x' is not valid, 'l2' mode is the ipvlan driver default",
  ],
  [
    'x',
    { driver: 'macvlan', options: { parent: 'nosuch' } },
    'invalid',
    'invalid subinterface vlan name nosuch, example formatting is eth0.10',
  ],
  [
    'x',
    { driver: 'macvlan', options: { parent: 'nosuch.10' } },
    'invalid',
    '-o parent interface was not found on the host: nosuch',
  ],
]

test('what cannot be made is refused in Docker’s words, and nothing stays of it', async () => {
  await scene(async (networks) => {
    await networks.create(network('n', V4))
    const before = [await links(), (await networks.list()).map(({ name }) => name)]
    const taken = { 'com.docker.network.bridge.name': (await networks.get('n')).bridge! }
    await assert.rejects(networks.create(network('x', { options: taken })), {
      kind: 'forbidden',
      message: /networks have same bridge name$/,
    })
    for (const [name, more, kind, message] of REFUSED)
      await assert.rejects(networks.create(network(name, more)), { kind, message }, message)
    for (const name of ['bridge', 'host', 'none'])
      await assert.rejects(networks.remove(name), {
        kind: 'forbidden',
        message: `${name} is a pre-defined network and cannot be removed`,
      })
    await assert.rejects(networks.remove('nosuch'), { kind: 'not-found', message: 'network nosuch not found' })
    assert.deepEqual([await links(), (await networks.list()).map(({ name }) => name)], before)
  })
})

test('check() says what a network cannot give', async () => {
  await scene(async (networks) => {
    await networks.create(network('asked', V4))
    await networks.create(network('chosen'))
    const cases = [
      ['asked', { address: '10.78.0.2' }, 'no configured subnet or ip-range contain the IP address 10.78.0.2'],
      [
        'asked',
        { address: 'x' },
        '* invalid IPv4 address: x\n* no configured subnet or ip-range contain the IP address x',
      ],
      [
        'chosen',
        { address: '10.78.0.2' },
        'user specified IP address is supported only when connecting to networks with user configured subnets',
      ],
      ['asked', { linkLocal: ['x'] }, 'invalid link-local IP address: x'],
      ['bridge', { aliases: ['x'] }, 'network-scoped alias is supported only for containers in user defined networks'],
    ] as const
    for (const [name, more, text] of cases) {
      const record = await networks.get(name)
      assert.throws(() => networks.check(record, endpoint(name, more)), {
        kind: 'invalid',
        message: `invalid endpoint settings:\n${text}`,
      })
    }
  })
})

test('a configuration lends its settings, is in use then, and takes no container', async () => {
  await scene(async (networks) => {
    await networks.create(network('settings', { ...V4, configOnly: true, labels: { a: 'b' } }))
    await networks.create(network('n', { configFrom: 'settings' }))
    const made = await networks.get('n')
    assert.deepEqual([made.driver, made.subnet, made.labels], ['bridge', '10.77.0.0/24', { a: 'b' }])
    await assert.rejects(networks.attach(attach(ONE, endpoint('settings'))), {
      message: 'cannot create endpoint on configuration-only network',
    })
    await assert.rejects(networks.create(network('x', { ...V4, configFrom: 'settings' })), { kind: 'forbidden' })
    await assert.rejects(networks.remove('settings'), {
      message: 'error while removing network: configuration network "settings" is in use',
    })
    await networks.remove('n')
    await networks.remove('settings')
  })
})

test('events tell who came and went; prune takes what nobody uses', async () => {
  await scene(async (networks, _, events) => {
    const { id } = await networks.create(network('used'))
    await networks.create(network('kept'))
    await networks.create(network('gone'))
    await networks.attach(attach(ONE, endpoint('used')))
    const removed = await networks.prune(({ name }) => name === 'kept')
    assert.deepEqual(
      removed.map(({ name }) => name),
      ['gone'],
    )
    await networks.detach(ONE)
    await networks.remove('used')
    const told = events.filter(({ actor }) => actor.id === id).map(({ action, actor }) => [action, actor.attributes])
    const facts = { name: 'used', type: 'bridge' }
    assert.deepEqual(told, [
      ['create', facts],
      ['connect', { ...facts, container: ONE }],
      ['disconnect', { ...facts, container: ONE }],
      ['destroy', facts],
    ])
    assert.equal(events.filter(({ action }) => action === 'destroy').length, 2)
  })
})

test('blocks are chosen free of the host’s routes, of each other, and again where the host took one', async () => {
  await scene(async (networks, reopen) => {
    await ip('link add host0 type bridge')
    try {
      await ip('link set host0 up')
      await ip('addr add 172.29.5.1/24 dev host0')
      await networks.create(network('a'))
      await networks.create(network('b'))
      const subnets = await Promise.all(['a', 'b'].map(async (name) => (await networks.get(name)).subnet!))
      assert.equal(new Set([...subnets, '172.29.0.0/16']).size, 3)
      await ip(`link del ${(await networks.get('a')).bridge!}`)
      await ip(`addr add ${subnets[0]!.replace('.0.0/16', '.9.1/24')} dev host0`)
      const next = await reopen()
      await next.restore(new Set())
      const moved = await next.get('a')
      assert.ok(![...subnets, '172.29.0.0/16'].includes(moved.subnet!))
      assert.match(await ip(`addr show ${moved.bridge!}`), new RegExp(` ${moved.gateway!}/16 `))
    } finally {
      await ip('link del host0')
    }
  })
})

test('the pools that are given are cut, and no other', async () => {
  await scene(
    async (networks) => {
      await networks.create(network('a'))
      assert.deepEqual(
        [(await networks.get('bridge')).subnet, (await networks.get('a')).subnet],
        ['10.55.0.0/28', '10.55.0.16/28'],
      )
      await assert.rejects(networks.create(network('b')), /all predefined address pools have been fully subnetted/)
    },
    { flags: { addressPools: ['base=10.55.0.0/27,size=28'] } },
  )
})

test('the flags of the default bridge', async () => {
  const flags = {
    bip: '10.55.0.1/24',
    fixedCidr: '10.55.0.64/26',
    fixedCidr6: '2001:db8:7::/64',
    ipv6: true,
    mtu: 1300,
  }
  await scene(
    async (networks) => {
      const { path, endpoints } = await networks.attach(plainAttach(ONE, 'bridge'))
      const { address, gateway, address6, gateway6 } = endpoints[0]!
      assert.deepEqual([address, gateway], ['10.55.0.64', '10.55.0.1'])
      assert.deepEqual([address6, gateway6], ['2001:db8:7::2', '2001:db8:7::1'])
      assert.match(await inside(path!, () => ip('link show eth0')), /mtu 1300/)
    },
    { flags },
  )
})
