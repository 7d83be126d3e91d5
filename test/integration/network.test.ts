import {
  createNetworkNamespace,
  removeNetworkNamespace,
  runNft,
  runProcess,
  spawnProcess,
  withNetworkNamespace,
} from '#kernel'
import { type Networks, plainAttach } from '#network'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import {
  inside,
  ip,
  links,
  rules,
  type SceneOptions,
  settled,
  whoAsks,
  withNetworks,
  type Work,
} from '#test/network-room'
import { temporary } from '#test/temporary'

// The whole test has a network of its own: the «host» of this file is a namespace with one link to an «outside».
ownMountNamespace({ network: true })

const HOST = '198.51.100.1'
const OUTSIDE = '198.51.100.2'
const ONE = '1'.repeat(64)
const TWO = '2'.repeat(64)
const THREE = '3'.repeat(64)

const folder = temporary()
const outside = folder.join('outside')
createNetworkNamespace(outside)
await ip('link set lo up')
await ip('link add out0 type veth peer name eth0')
await linkOutside()

after(() => {
  removeNetworkNamespace(outside)
  folder[Symbol.dispose]()
  assert.equal(existsSync(folder.path), false)
})

test('two containers reach each other, the host, and the world behind the host’s address', async () => {
  await scene('pair', async (networks) => {
    const [one, two] = [
      await networks.attach(plainAttach(ONE, 'bridge')),
      await networks.attach(plainAttach(TWO, 'bridge')),
    ]
    const [first, second] = [one.endpoints[0]!, two.endpoints[0]!]
    assert.equal(first.gateway, second.gateway)
    assert.notEqual(first.address, second.address)
    assert.equal(await whoAsks(two.path!, second.address!, one.path!), first.address)
    assert.equal(await whoAsks(undefined, first.gateway!, one.path!), first.address)
    assert.equal(await whoAsks(outside, OUTSIDE, one.path!), HOST)
    assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(), '1')
  })
})

test('nobody outside reaches a container that published nothing', async () => {
  await scene('closed', async (networks) => {
    const { path, endpoints } = await networks.attach(plainAttach(ONE, 'bridge'))
    const subnet = (await networks.get('bridge')).subnet!
    await inside(outside, () => ip(`route add ${subnet} via ${HOST}`))
    await assert.rejects(whoAsks(path, endpoints[0]!.address!, outside))
    await inside(outside, () => ip(`route del ${subnet}`))
  })
})

const DROPS = {
  'of another engine': `table ip filter {
  chain DOCKER-USER { }
  chain FORWARD { type filter hook forward priority filter; policy drop; counter jump DOCKER-USER; }
}`,
  'of a plain table': `table inet guard {
  chain everything { type filter hook forward priority 10; policy drop; }
}`,
}

for (const [whose, drop] of Object.entries(DROPS)) {
  test(`the way out works beside the drop policy ${whose}, and its rules are as before afterwards`, async () => {
    await runNft(drop)
    const before = await rules()
    await scene(whose.replaceAll(' ', '-'), async (networks) => {
      const { path } = await networks.attach(plainAttach(ONE, 'bridge'))
      assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
      const findings = await networks.diagnose()
      assert.ok(
        findings.some(({ ok, text }) => ok && /drops forwarded packets; our bridges are accepted in/.test(text)),
      )
    })
    assert.equal(await rules(), before)
    await runNft('flush ruleset')
  })
}

const legacy = spawnSync('iptables-legacy', ['--version']).status === 0 ? false : 'no iptables-legacy here'

test('the way out works beside a drop policy of the older iptables', { skip: legacy }, async () => {
  const iptables = async (args: string): Promise<string> => {
    const { stdout } = await runProcess('iptables-legacy', args.split(' '))
    return stdout.toString()
  }
  await iptables('-P FORWARD DROP')
  await iptables('-N DOCKER-USER')
  await iptables('-A FORWARD -j DOCKER-USER')
  const before = await iptables('-S')
  await scene('legacy', async (networks) => {
    const { path } = await networks.attach(plainAttach(ONE, 'bridge'))
    assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
    assert.match(await iptables('-S'), /-A DOCKER-USER -i mica-\w+ -j ACCEPT/)
    const findings = await networks.diagnose()
    assert.ok(
      findings.some(({ ok, text }) => ok && text.startsWith('iptables-legacy FORWARD: drop; our bridges are accepted')),
    )
  })
  assert.equal(await iptables('-S'), before)
  await iptables('-F')
  await iptables('-P FORWARD ACCEPT')
  await iptables('-X')
})

test('rules that somebody flushed, or a drop that came later, are set right, at the latest with the next container', async () => {
  await scene('flush', async (networks) => {
    const { path } = await networks.attach(plainAttach(ONE, 'bridge'))
    await runNft('flush ruleset')
    await runNft(DROPS['of another engine'])
    await networks.attach(plainAttach(TWO, 'bridge'))
    assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
  })
  await runNft('flush ruleset')
})

test('none has a loopback only, host no namespace of its own', async () => {
  await scene('modes', async (networks) => {
    const none = await networks.attach(plainAttach(ONE, 'none'))
    assert.equal(await inside(none.path!, () => links()), 'lo')
    assert.equal(await whoAsks(none.path, '127.0.0.1', none.path!), '127.0.0.1')
    const host = await networks.attach(plainAttach(TWO, 'host'))
    assert.equal(host.path, undefined)
    assert.deepEqual(
      host.endpoints.map(({ network, address }) => [network, address]),
      [['host', undefined]],
    )
    await assert.rejects(networks.attach(plainAttach(THREE, 'nosuch')), {
      kind: 'not-found',
      message: 'network nosuch not found',
    })
    assert.deepEqual(
      (await networks.list()).map(({ name, driver }) => [name, driver]),
      [
        ['bridge', 'bridge'],
        ['host', 'host'],
        ['none', 'null'],
      ],
    )
  })
})

test('after a kill the next daemon keeps what lives and undoes the rest', async () => {
  await scene('crash', async (networks, reopen) => {
    const one = await networks.attach(plainAttach(ONE, 'bridge'))
    await networks.attach(plainAttach(TWO, 'bridge'))
    const bridge = (await networks.get('bridge')).bridge!
    const stray = one.path!.replace(ONE, THREE)
    writeFileSync(stray, '')
    await ip(`link add stray0 type veth peer name stray1`)
    await ip(`link set stray0 master ${bridge}`)
    const next = await reopen()
    await next.restore(new Set([ONE]))
    assert.deepEqual(readdirSync(one.path!.replace(`/${ONE}`, '')), [ONE])
    assert.equal(await next.find(TWO), undefined)
    assert.deepEqual(await next.find(ONE), one)
    assert.equal(await whoAsks(outside, OUTSIDE, one.path!), HOST)
    assert.ok(!(await links()).includes('stray'))
    const again = await next.attach(plainAttach(TWO, 'bridge'))
    assert.equal(await whoAsks(again.path, again.endpoints[0]!.address!, one.path!), one.endpoints[0]!.address)
  })
})

test('a namespace that went away with the mounts is made again; attaching twice is once', async () => {
  await scene('again', async (networks) => {
    const first = await networks.attach(plainAttach(ONE, 'bridge'))
    const second = await networks.attach(plainAttach(ONE, 'bridge'))
    assert.equal(second.endpoints[0]!.address, first.endpoints[0]!.address)
    await networks.detach(ONE)
    await networks.detach(ONE)
    writeFileSync(first.path!, '')
    assert.equal(await whoAsks(outside, OUTSIDE, (await networks.attach(plainAttach(ONE, 'bridge'))).path!), HOST)
  })
})

test('two daemons with other roots live side by side', async () => {
  await scene('left', async (left) => {
    const both = async (right: Networks): Promise<void> => {
      const [one, two] = [await left.attach(plainAttach(ONE, 'bridge')), await right.attach(plainAttach(ONE, 'bridge'))]
      assert.notEqual((await left.get('bridge')).subnet, (await right.get('bridge')).subnet)
      for (const { path } of [one, two]) assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
    }
    await scene('right', both, { othersAttach: true })
    assert.equal(await whoAsks(outside, OUTSIDE, (await left.attach(plainAttach(TWO, 'bridge'))).path!), HOST)
  })
})

test('--bip decides addresses; a small block runs full with Docker’s words', async () => {
  await scene(
    'bip',
    async (networks) => {
      const { endpoints } = await networks.attach(plainAttach(ONE, 'bridge'))
      assert.deepEqual(
        [endpoints[0]!.address, endpoints[0]!.gateway, endpoints[0]!.prefixLength],
        ['10.9.8.1', '10.9.8.2', 30],
      )
      await assert.rejects(
        networks.attach(plainAttach(TWO, 'bridge')),
        /no available IPv4 addresses on this network's address pools: bridge/,
      )
      assert.equal(await networks.find(TWO), undefined)
      await networks.detach(ONE)
      assert.equal((await networks.attach(plainAttach(TWO, 'bridge'))).endpoints[0]!.address, '10.9.8.1')
    },
    { flags: { bip: '10.9.8.2/30' } },
  )
})

test('--bip can change while no container is on the bridge', async () => {
  await scene('rebip', async (networks, reopen) => {
    await networks.attach(plainAttach(ONE, 'bridge'))
    await assert.rejects(reopen({ bip: '10.9.8.1/24' }), /containers run on the bridge with 172/)
    await (await reopen()).detach(ONE)
    await settled((await links()).replace(/ veth\w+/, ''))
    const next = await reopen({ bip: '10.9.8.1/24' })
    const { endpoints } = await next.attach(plainAttach(ONE, 'bridge'))
    assert.equal(endpoints[0]!.address, '10.9.8.2')
    const { bridge } = await next.get('bridge')
    assert.match(await ip(`-4 -o addr show dev ${bridge!}`), /^[^\n]*10\.9\.8\.1\/24[^\n]*\n$/)
  })
})

test('a bridge that somebody deleted comes back with its containers', async () => {
  await scene('deleted', async (networks, reopen) => {
    const { path } = await networks.attach(plainAttach(ONE, 'bridge'))
    await ip(`link del ${(await networks.get('bridge')).bridge!}`)
    const next = await reopen()
    await next.restore(new Set([ONE]))
    assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
  })
})

test('fifty containers come and go at once', async () => {
  await scene('many', async (networks) => {
    const ids = Array.from({ length: 50 }, (_, index) => index.toString(16).padStart(64, '0'))
    const sandboxes = await Promise.all(ids.map((id) => networks.attach(plainAttach(id, 'bridge'))))
    assert.equal(new Set(sandboxes.map(({ endpoints }) => endpoints[0]!.address)).size, 50)
    assert.equal((await networks.endpoints((await networks.get('bridge')).id)).length, 50)
    await Promise.all(ids.map((id) => networks.detach(id)))
    assert.deepEqual(await networks.endpoints((await networks.get('bridge')).id), [])
  })
})

function scene(name: string, work: Work, options: Omit<SceneOptions, 'root'> = {}): Promise<void> {
  return withNetworks({ ...options, root: folder.join(name) }, work)
}

async function linkOutside(): Promise<void> {
  const { pid, exited } = withNetworkNamespace(outside, () =>
    spawnProcess({ file: 'sleep', args: ['5'], stdio: ['ignore', 'ignore', 'ignore'] }),
  )
  await ip(`link set eth0 netns ${pid}`)
  process.kill(pid)
  await exited
  await ip(`addr add ${HOST}/24 dev out0`)
  await ip('link set out0 up')
  for (const args of ['link set lo up', `addr add ${OUTSIDE}/24 dev eth0`, 'link set eth0 up'])
    await inside(outside, () => ip(args))
}
