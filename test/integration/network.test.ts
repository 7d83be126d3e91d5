import { silentLog, systemClock } from '#base'
import {
  createNetworkNamespace,
  listNft,
  readDescriptor,
  removeNetworkNamespace,
  runNft,
  runProcess,
  spawnProcess,
  withNetworkNamespace,
} from '#kernel'
import { type Networks, openNetworks, plainAttach } from '#network'
import { openDatabase } from '#store/db'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
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
  await withNetworks('pair', async (networks) => {
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
  await withNetworks('closed', async (networks) => {
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
    await withNetworks(whose.replaceAll(' ', '-'), async (networks) => {
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
  await withNetworks('legacy', async (networks) => {
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

test('rules that somebody flushed, or a drop that came later, are set right with the next container', async () => {
  await withNetworks('flush', async (networks) => {
    const { path } = await networks.attach(plainAttach(ONE, 'bridge'))
    await runNft('flush ruleset')
    await runNft(DROPS['of another engine'])
    await assert.rejects(whoAsks(outside, OUTSIDE, path!))
    await networks.attach(plainAttach(TWO, 'bridge'))
    assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
  })
  await runNft('flush ruleset')
})

test('none has a loopback only, host no namespace of its own', async () => {
  await withNetworks('modes', async (networks) => {
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
  await withNetworks('crash', async (networks, reopen) => {
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
  await withNetworks('again', async (networks) => {
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
  await withNetworks('left', async (left) => {
    const both = async (right: Networks): Promise<void> => {
      const [one, two] = [await left.attach(plainAttach(ONE, 'bridge')), await right.attach(plainAttach(ONE, 'bridge'))]
      assert.notEqual((await left.get('bridge')).subnet, (await right.get('bridge')).subnet)
      for (const { path } of [one, two]) assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
    }
    await withNetworks('right', both, { othersAttach: true })
    assert.equal(await whoAsks(outside, OUTSIDE, (await left.attach(plainAttach(TWO, 'bridge'))).path!), HOST)
  })
})

test('--bip decides addresses; a small block runs full with Docker’s words', async () => {
  await withNetworks(
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
    { bip: '10.9.8.2/30' },
  )
})

test('--bip can change while no container is on the bridge', async () => {
  await withNetworks('rebip', async (networks, reopen) => {
    await networks.attach(plainAttach(ONE, 'bridge'))
    await assert.rejects(reopen('10.9.8.1/24'), /containers run on the bridge with 172/)
    await (await reopen()).detach(ONE)
    await settled()
    const next = await reopen('10.9.8.1/24')
    const { endpoints } = await next.attach(plainAttach(ONE, 'bridge'))
    assert.equal(endpoints[0]!.address, '10.9.8.2')
    const { bridge } = await next.get('bridge')
    assert.match(await ip(`-4 -o addr show dev ${bridge!}`), /^[^\n]*10\.9\.8\.1\/24[^\n]*\n$/)
  })
})

test('a bridge that somebody deleted comes back with its containers', async () => {
  await withNetworks('deleted', async (networks, reopen) => {
    const { path } = await networks.attach(plainAttach(ONE, 'bridge'))
    await ip(`link del ${(await networks.get('bridge')).bridge!}`)
    const next = await reopen()
    await next.restore(new Set([ONE]))
    assert.equal(await whoAsks(outside, OUTSIDE, path!), HOST)
  })
})

test('fifty containers come and go at once', async () => {
  await withNetworks('many', async (networks) => {
    const ids = Array.from({ length: 50 }, (_, index) => index.toString(16).padStart(64, '0'))
    const sandboxes = await Promise.all(ids.map((id) => networks.attach(plainAttach(id, 'bridge'))))
    assert.equal(new Set(sandboxes.map(({ endpoints }) => endpoints[0]!.address)).size, 50)
    assert.equal((await networks.endpoints((await networks.get('bridge')).id)).length, 50)
    await Promise.all(ids.map((id) => networks.detach(id)))
    assert.deepEqual(await networks.endpoints((await networks.get('bridge')).id), [])
  })
})

/** Networks of a daemon with a root of its own; torn down afterwards, and nothing is left. */
async function withNetworks(
  name: string,
  work: (networks: Networks, reopen: (bip?: string) => Promise<Networks>) => Promise<void>,
  options: { readonly bip?: string; readonly othersAttach?: boolean } = {},
): Promise<void> {
  const root = folder.join(name)
  mkdirSync(root)
  const before = await links()
  const opened: AsyncDisposable[] = []
  const open = async (bip = options.bip): Promise<Networks> => {
    for (const db of opened.splice(0)) await db[Symbol.asyncDispose]()
    const db = await openDatabase(`${root}/engine.db`)
    opened.push(db)
    return openNetworks({ db, execRoot: `${root}/run`, bip, clock: systemClock(), log: silentLog() })
  }
  let networks = await open()
  const own = (await networks.get('bridge')).bridge!
  try {
    await work(networks, async (bip) => {
      networks[Symbol.dispose]()
      return (networks = await open(bip))
    })
  } finally {
    await networks.teardown()
  }
  assert.deepEqual(readdirSync(`${root}/run/netns`), [])
  for (const db of opened) await db[Symbol.asyncDispose]()
  assert.ok(!(await rules()).includes(own), 'rules were left')
  if (options.othersAttach) return
  // Veth pairs go some milliseconds after their namespace.
  for (let patience = 100; (await links()) !== before && patience > 0; patience -= 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.equal(await links(), before)
}

/** Veth pairs go some milliseconds after their namespace. */
async function settled(): Promise<void> {
  for (let patience = 100; (await links()).includes('veth') && patience > 0; patience -= 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const SERVER = `require('net').createServer((s) => s.end(s.remoteAddress)).listen(7, process.argv[1], () => console.log('up'))`
const CLIENT = `const s = require('net').connect(7, process.argv[1]); s.setTimeout(700, () => s.destroy(new Error('timeout')));
s.on('error', (e) => { console.error(e.message); process.exit(1) }); s.pipe(process.stdout)`

/** Which address a server in one namespace sees of a client in another; `undefined`: the host. */
async function whoAsks(server: string | undefined, address: string, client: string): Promise<string> {
  const start = () =>
    spawnProcess({ file: process.execPath, args: ['-e', SERVER, address], stdio: ['ignore', 'pipe', 2] })
  const serving = server === undefined ? start() : withNetworkNamespace(server, start)
  const output = serving.pipes.get(1)!
  try {
    await firstByte(output)
    const run = () => runProcess(process.execPath, ['-e', CLIENT, address])
    const { status, stdout, stderr } = await withNetworkNamespace(client, run)
    if (status.code !== 0) throw new Error(stderr.toString())
    return stdout.toString()
  } finally {
    process.kill(serving.pid)
    await serving.exited
    closeSync(output)
  }
}

async function firstByte(fd: number): Promise<void> {
  for await (const _ of readDescriptor(fd)) return
}

/** Starts the work in a network namespace: children that it spawns before its first `await` live there. */
function inside<T>(path: string, work: () => Promise<T>): Promise<T> {
  return withNetworkNamespace(path, work)
}

/** The packet filter without its counters. */
async function rules(): Promise<string> {
  return JSON.stringify(await listNft()).replaceAll(/"(packets|bytes)":\d+/g, '')
}

async function ip(args: string): Promise<string> {
  const { status, stdout, stderr } = await runProcess('ip', args.split(' '))
  assert.equal(status.code, 0, `ip ${args}: ${stderr.toString()}`)
  return stdout.toString()
}

/** Names of the links, without what stands behind «@». */
async function links(): Promise<string> {
  return [...(await ip('-o link')).matchAll(/^\d+: ([^:@]+)/gm)]
    .map((match) => match[1])
    .toSorted((one, other) => ((one ?? '') < (other ?? '') ? -1 : 1))
    .join(' ')
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
