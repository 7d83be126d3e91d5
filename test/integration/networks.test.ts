import { runProcess } from '#kernel'
import { type EndpointRequest, plainAttach } from '#network'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import {
  attach,
  attached,
  endpoint,
  inside,
  ip,
  links,
  network,
  settled,
  whoAsks,
  withNetworks,
  type SceneOptions,
  type Work,
} from '#test/network-room'
import { temporary } from '#test/temporary'

// The whole test has a network of its own: the «host» of this file is a namespace without a way out.
ownMountNamespace({ network: true })

const ONE = '1'.repeat(64)
const TWO = '2'.repeat(64)
const THREE = '3'.repeat(64)

const folder = temporary()
await ip('link set lo up')

after(() => folder[Symbol.dispose]())

let scenes = 0
function scene(work: Work, options: Omit<SceneOptions, 'root'> = {}): Promise<void> {
  scenes += 1
  return withNetworks({ ...options, root: folder.join(`scene${scenes}`) }, work)
}

const V4 = { ipam: [{ subnet: '10.77.0.0/24' }] }

test('containers of one network reach each other, those of two do not; removing gives everything back', async () => {
  await scene(async (networks) => {
    const before = await links()
    const { id } = await networks.create(network('left', V4))
    await networks.create(network('right'))
    const { bridge, gateway } = await networks.get('left')
    assert.equal(bridge, `br-${id.slice(0, 12)}`)
    assert.equal(gateway, '10.77.0.1')
    const one = await networks.attach(attach(ONE, endpoint('left')))
    const two = await networks.attach(attach(TWO, endpoint(id.slice(0, 5))))
    const three = await networks.attach(attach(THREE, endpoint('right')))
    assert.deepEqual(
      [one, two].map(({ endpoints }) => [endpoints[0]!.network, endpoints[0]!.address, endpoints[0]!.macAddress]),
      [
        ['left', '10.77.0.2', '02:42:0a:4d:00:02'],
        ['left', '10.77.0.3', '02:42:0a:4d:00:03'],
      ],
    )
    assert.equal(await whoAsks(two.path, '10.77.0.3', one.path), '10.77.0.2')
    await assert.rejects(whoAsks(two.path, '10.77.0.3', three.path))
    await assert.rejects(networks.remove('left'), {
      kind: 'forbidden',
      message: new RegExp(
        `^error while removing network: network left has active endpoints \\(name:"c1" id:"[0-9a-f]{12}", name:"c2" id:"[0-9a-f]{12}"\\)$`,
      ),
    })
    for (const container of [ONE, TWO, THREE]) await networks.detach(container)
    await networks.remove('left')
    await networks.remove((await networks.get('right')).id)
    await settled(before)
  })
})

test('an address that was given back is given out again, the lowest first; one that is asked for stays', async () => {
  await scene(async (networks) => {
    await networks.create(network('n', { ipam: [{ subnet: '10.77.0.0/29', auxAddresses: { printer: '10.77.0.3' } }] }))
    const address = async (container: string, more: Partial<EndpointRequest> = {}): Promise<string | undefined> =>
      (await networks.attach(attach(container, endpoint('n', more)))).endpoints[0]!.address
    assert.equal(await address(ONE), '10.77.0.2')
    assert.equal(await address(TWO), '10.77.0.4')
    await networks.detach(ONE)
    assert.equal(await address(THREE), '10.77.0.2')
    assert.equal(await address(ONE, { address: '10.77.0.6' }), '10.77.0.6')
    for (const taken of ['10.77.0.1', '10.77.0.2', '10.77.0.3'])
      await assert.rejects(address('4'.repeat(64), { address: taken }), { message: 'Address already in use' })
    assert.equal(await address('5'.repeat(64)), '10.77.0.5')
    await assert.rejects(
      address('6'.repeat(64)),
      /^EngineError: no available IPv4 addresses on this network's address pools: n \(/,
    )
    assert.equal(await networks.find('6'.repeat(64)), undefined)
  })
})

test('--ip-range: containers get addresses of it, the bridge the first', async () => {
  await scene(async (networks) => {
    await networks.create(network('n', { ipam: [{ subnet: '10.77.0.0/24', ipRange: '10.77.0.128/25' }] }))
    const { endpoints } = await networks.attach(attach(ONE, endpoint('n')))
    assert.deepEqual([endpoints[0]!.gateway, endpoints[0]!.address], ['10.77.0.128', '10.77.0.129'])
  })
})

test('a container in several networks has a link in each; who has the priority leads out', async () => {
  await scene(async (networks) => {
    for (const name of ['b', 'c', 'a']) await networks.create(network(name, { internal: name === 'a' }))
    const wanted = [endpoint('b'), endpoint('a'), endpoint('c', { gwPriority: 1 })]
    const { path, endpoints } = await networks.attach(attach(ONE, ...wanted))
    assert.deepEqual(
      endpoints.map((one) => [one.interface, one.network]),
      [
        ['eth0', 'c'],
        ['eth1', 'b'],
        ['eth2', 'a'],
      ],
    )
    const gateway = async (): Promise<string | undefined> =>
      /^default via (\S+)/.exec(await inside(path!, () => ip('route')))?.[1]
    assert.equal(await gateway(), (await networks.get('c')).gateway)
    assert.equal(endpoints[2]!.gateway, undefined)
    await networks.disconnect(ONE, 'c', { force: false })
    assert.equal(await gateway(), (await networks.get('b')).gateway)
    await networks.disconnect(ONE, 'b', { force: false })
    assert.equal(await gateway(), undefined)
    const again = await networks.connect(attached(ONE), endpoint('c'))
    assert.equal(again.interface, 'eth0')
    assert.equal(await gateway(), (await networks.get('c')).gateway)
    assert.equal(await inside(path!, () => links()), 'eth0 eth2 lo')
    await assert.rejects(networks.connect(attached(ONE), endpoint('c')), {
      kind: 'forbidden',
      message: 'endpoint with name c1 already exists in network c',
    })
    await assert.rejects(networks.disconnect(ONE, 'b', { force: false }), /is not connected to network b/)
    await networks.disconnect(ONE, 'b', { force: true })
  })
})

test('what is asked of a link is there: MAC, MTU, names, link-local addresses', async () => {
  await scene(async (networks) => {
    const options = {
      'com.docker.network.driver.mtu': '1290',
      'com.docker.network.container_iface_prefix': 'net',
      'com.docker.network.bridge.name': 'mybridge',
    }
    await networks.create(network('n', { ...V4, options }))
    await networks.create(network('m'))
    const wanted = endpoint('n', {
      macAddress: '02:11:22:33:44:55',
      aliases: ['web'],
      linkLocal: ['169.254.3.3', 'fe80::1234'],
    })
    const named = endpoint('m', { driverOptions: { 'com.docker.network.endpoint.ifname': 'wan' } })
    const { path, endpoints } = await networks.attach({ ...attach(ONE, wanted, named), hostname: 'box' })
    const shown = await inside(path!, () => ip('addr'))
    assert.match(shown, /net0@\S+: <[^>]*> mtu 1290/)
    for (const part of ['02:11:22:33:44:55', '10.77.0.2/24', '169.254.3.3/16', 'fe80::1234/64'])
      assert.ok(shown.includes(part), part)
    assert.equal(await inside(path!, () => links()), 'lo net0 wan')
    assert.match(await ip('link show mybridge'), /mtu 1290/)
    const one = endpoints.find((found) => found.network === 'n')!
    assert.deepEqual(one.dnsNames, ['c1', 'web', ONE.slice(0, 12), 'box'])
    assert.deepEqual(one.ipam, { linkLocal: ['169.254.3.3', 'fe80::1234'] })
  })
})

test('IPv6: a unique local block where none is given, addresses without waiting, a way out; none elsewhere', async () => {
  await scene(async (networks) => {
    await networks.create(network('six', { ipv6: true }))
    await networks.create(network('only', { ipv4: false, ipv6: true, ipam: [{ subnet: '2001:db8:5::/64' }] }))
    await networks.create(network('four'))
    const { subnet6, gateway6 } = await networks.get('six')
    assert.match(subnet6!, /^fd[0-9a-f:]+::\/64$/)
    const [one, two] = [
      await networks.attach(attach(ONE, endpoint('six'))),
      await networks.attach(attach(TWO, endpoint('six'))),
    ]
    assert.equal(await whoAsks(two.path, two.endpoints[0]!.address6!, one.path), one.endpoints[0]!.address6)
    assert.equal(await whoAsks(undefined, gateway6!, one.path), one.endpoints[0]!.address6)
    const only = await networks.attach(attach(THREE, endpoint('only', { address6: '2001:db8:5::77' })))
    assert.deepEqual([only.endpoints[0]!.address, only.endpoints[0]!.address6], [undefined, '2001:db8:5::77'])
    assert.match(await inside(only.path!, () => ip('-6 route')), /^default via 2001:db8:5::1 /m)
    const four = await networks.attach(attach('4'.repeat(64), endpoint('four')))
    assert.equal(await inside(four.path!, () => ip('-6 addr show dev eth0')), '')
  })
})

test('a container joins the sandbox of another', async () => {
  await scene(async (networks) => {
    const { path } = await networks.attach(plainAttach(ONE, 'bridge'))
    assert.deepEqual(await networks.attach(plainAttach(TWO, `container:${ONE}`)), {
      path,
      endpoints: [],
      ports: [],
      resolver: false,
    })
    await networks.detach(TWO)
    assert.ok(existsSync(path!))
    await assert.rejects(networks.attach(plainAttach(TWO, `container:${THREE}`)), { kind: 'conflict' })
  })
})

test('after a kill: what lives keeps its place in every network, a half done connect is undone, the rest goes', async () => {
  await scene(async (networks, reopen) => {
    const { id } = await networks.create(network('n', V4))
    await networks.create(network('m'))
    const one = await networks.attach(attach(ONE, endpoint('n'), endpoint('m')))
    await networks.attach(attach(TWO, endpoint('n')))
    const { bridge } = await networks.get('m')
    await ip('link add veth00000000 type veth peer name stray1')
    await ip(`link set veth00000000 master ${bridge!}`)
    await inside(one.path!, () => ip('link del eth1'))
    const next = await reopen()
    await next.restore(new Set([ONE]))
    assert.equal(await next.find(TWO), undefined)
    const found = await next.find(ONE)
    assert.deepEqual(
      found?.endpoints.map((left) => left.interface),
      ['eth0'],
    )
    assert.ok(!(await links()).includes('stray'))
    await assert.rejects(next.attach(attach(TWO, endpoint(id), endpoint('nosuch'))), { kind: 'not-found' })
    const again = await next.attach(attach(TWO, endpoint('m')))
    assert.equal(await whoAsks(again.path, again.endpoints[0]!.address!, one.path), found!.endpoints[0]!.address)
    await next.rename(ONE, 'renamed')
    assert.equal((await next.endpoints((await next.get(found!.endpoints[0]!.network)).id))[0]!.dnsNames[0], 'renamed')
  })
})

test('a bridge of a user that somebody deleted comes back with its containers', async () => {
  await scene(async (networks, reopen) => {
    await networks.create(network('n', { ...V4, ipv6: true }))
    const [one, two] = [
      await networks.attach(attach(ONE, endpoint('n'))),
      await networks.attach(attach(TWO, endpoint('n'))),
    ]
    await ip(`link del ${(await networks.get('n')).bridge!}`)
    const next = await reopen()
    await next.restore(new Set([ONE, TWO]))
    assert.equal(await whoAsks(two.path, two.endpoints[0]!.address!, one.path), one.endpoints[0]!.address)
    assert.equal(await whoAsks(undefined, '10.77.0.1', one.path), one.endpoints[0]!.address)
  })
})

test('a bridge that was there before stays when its network goes', async () => {
  await scene(async (networks) => {
    await ip('link add mine type bridge')
    try {
      await networks.create(network('n', { ...V4, options: { 'com.docker.network.bridge.name': 'mine' } }))
      const { path } = await networks.attach(attach(ONE, endpoint('n')))
      assert.equal(await whoAsks(undefined, '10.77.0.1', path), '10.77.0.2')
      await networks.detach(ONE)
      await networks.remove('n')
      assert.ok((await links()).split(' ').includes('mine'))
    } finally {
      await ip('link del mine')
    }
  })
})

test('who is detached answers no more, though his namespace is still held', async () => {
  await scene(async (networks) => {
    await networks.create(network('n', V4))
    const one = await networks.attach(attach(ONE, endpoint('n')))
    const holder = await hold(one.path!)
    try {
      await networks.detach(ONE)
      const two = await networks.attach(attach(TWO, endpoint('n')))
      assert.equal(two.endpoints[0]!.address, '10.77.0.2')
      assert.equal(await whoAsks(two.path, '10.77.0.2', undefined), '10.77.0.1')
    } finally {
      await holder()
    }
  })
})

/** A process in a namespace, as of a container that shares it. */
async function hold(path: string): Promise<() => Promise<unknown>> {
  const over = new AbortController()
  const running = inside(path, () => runProcess('sleep', ['1000'], { signal: over.signal }))
  return () => {
    over.abort()
    return running.catch(() => undefined)
  }
}
