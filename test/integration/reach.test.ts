import { silentLog, systemClock } from '#base'
import { listNft, runNft } from '#kernel'
import { type AttachRequest, type Networks, openNetworks, plainAttach, type PortBinding, type Sandbox } from '#network'
import { openDatabase } from '#store/db'
import { createSwitchboard } from '#switchboard'
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { LAN, openLan, within } from '#test/lan'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { openVantage, type Protocol, type Vantage } from '#test/vantage'

// The «host» of this file is a network namespace with a LAN and a router.
ownMountNamespace({ network: true })

const cleanup = new AsyncDisposableStack()
const folder = cleanup.use(temporary())
mkdirSync(folder.join('lan'))
const lan = cleanup.use(openLan(folder.join('lan')))
const db = cleanup.use(await openDatabase(folder.join('engine.db')))
const execRoot = folder.join('run')
const entry = new URL('../../src/bin/switchboard.ts', import.meta.url)
const log = silentLog()
const networks = openNetworks({
  db,
  execRoot,
  clock: systemClock(),
  log,
  switchboard: createSwitchboard({ execRoot, entry, log }),
})
const vantages = new Map<string, Vantage>()
const containers = new Map<string, Sandbox>()

/** The address of each network's bridge; of its IPv6, with a 6 behind the name. */
const gateways = new Map<string, string | undefined>()

before(async () => {
  await makeNetworks(networks)
  for (const { name, ipam } of await networks.list()) {
    for (const { subnet, gateway } of ipam) gateways.set(subnet.includes(':') ? `${name}6` : name, gateway)
  }
  for (const [index, [name, container]] of Object.entries(CONTAINERS).entries()) {
    const sandbox = await networks.attach(attachOf(name, index, container))
    containers.set(name, sandbox)
    open(name, sandbox.path)
  }
  open('host', undefined)
  for (const name of ['neighbour', 'far'] as const) open(name, lan[name])
  for (const [name, { serves = [] }] of Object.entries(CONTAINERS))
    for (const [port, protocol] of serves) await vantages.get(name)?.serve(port, protocol)
  await vantages.get('neighbour')?.serve(7)
  // A neighbour who sends what is meant for a loopback, and a host that lets its LAN do it.
  within(undefined, 'sysctl -qw net.ipv4.conf.lan0.route_localnet=1')
  within(lan.neighbour, 'sysctl -qw net.ipv4.conf.all.route_localnet=1')
  within(lan.neighbour, 'ip route add 127.0.0.9/32 via 198.51.100.1 src 198.51.100.2')
})

after(async () => {
  for (const vantage of vantages.values()) await vantage[Symbol.asyncDispose]()
  await networks.teardown()
  assert.deepEqual(await rulesOfOurs(), [])
  await cleanup.disposeAsync()
})

interface Container {
  readonly network: string
  readonly ports?: readonly PortBinding[]
  readonly serves?: readonly (readonly [port: number, protocol: Protocol])[]
  /** Others of its network that it is linked to. */
  readonly links?: readonly string[]
}

const tcp = (containerPort: number, hostPort: number, hostIp?: string): PortBinding => ({
  containerPort,
  protocol: 'tcp',
  hostPort,
  ...(hostIp !== undefined && { hostIp }),
})
const HTTP = [80, 'tcp'] as const

/** Who is there. Each serves port 80 and publishes it as its name says; «idle» asks only. */
const CONTAINERS: Readonly<Record<string, Container>> = {
  web: {
    network: 'bridge',
    ports: [tcp(80, 8080), { containerPort: 53, protocol: 'udp', hostPort: 8053 }],
    serves: [HTTP, [81, 'tcp'], [53, 'udp']],
  },
  loopback: { network: 'bridge', ports: [tcp(80, 8081, '127.0.0.1'), tcp(80, 8089, '127.0.0.9')], serves: [HTTP] },
  lan: { network: 'bridge', ports: [tcp(80, 8082, LAN.host.four)], serves: [HTTP] },
  idle: { network: 'bridge' },
  other: { network: 'other', serves: [HTTP] },
  inner: { network: 'inner', ports: [tcp(80, 8083)], serves: [HTTP] },
  innermate: { network: 'inner' },
  apart: { network: 'apart', ports: [tcp(80, 8084)], serves: [HTTP] },
  apartmate: { network: 'apart' },
  six: { network: 'six', ports: [tcp(80, 8085), tcp(80, 8086, '::1')], serves: [HTTP, [81, 'tcp']] },
  routed: { network: 'routed', ports: [tcp(80, 8087)], serves: [HTTP, [81, 'tcp']] },
}

const HOST = LAN.host.four
const HOST6 = LAN.host.six

/**
 * The stated policy: who asks (host, neighbour, far, or a container), where, and which address he is seen by; `-` where
 * nobody answers. `@x` is the address of container x, `@x6` its IPv6 address, `gw:x` the gateway of its network.
 */
const POLICY = `
web, published on all addresses
  host       ${HOST}:8080        ${HOST}
  host       127.0.0.1:8080      gw:web
  host       127.0.0.77:8080     gw:web
  host       [::1]:8080          gw:web
  host       [${HOST6}]:8080     gw:web
  host       gw:web:8080         gw:web
  host       ${HOST}:8053/udp    ${HOST}
  neighbour  ${HOST}:8080        ${LAN.neighbour.four}
  neighbour  [${HOST6}]:8080     gw:web
  neighbour  ${HOST}:8053/udp    ${LAN.neighbour.four}
  neighbour  192.0.2.1:8080      ${LAN.neighbour.four}
  far        ${HOST}:8080        ${LAN.far.four}
  far        [${HOST6}]:8080     gw:web
  far        ${HOST}:8053/udp    ${LAN.far.four}
  idle       ${HOST}:8080        gw:web
  idle       gw:web:8080         gw:web
  web        ${HOST}:8080        gw:web
  other      ${HOST}:8080        gw:web
  other      gw:other:8080       gw:web
  other      ${HOST}:8053/udp    gw:web
  apartmate  ${HOST}:8080        gw:web
  inner      gw:inner:8080       -

web, by its own address
  host       @web:80             gw:web
  host       @web:81             gw:web
  idle       @web:80             @idle
  idle       @web:81             @idle
  neighbour  @web:80             -
  neighbour  @web:81             -
  neighbour  @web:53/udp         -
  far        @web:80             -
  far        @web:81             -
  other      @web:80             -
  other      @web:81             -
  inner      @web:80             -

loopback, published on 127.0.0.1
  host       127.0.0.1:8081      gw:web
  host       127.0.0.9:8089      gw:web
  host       ${HOST}:8081        -
  neighbour  ${HOST}:8081        -
  neighbour  127.0.0.9:8089      -
  far        ${HOST}:8081        -
  idle       ${HOST}:8081        -
  other      gw:other:8081       -

lan, published on an address of the host
  host       ${HOST}:8082        ${HOST}
  host       127.0.0.1:8082      -
  neighbour  ${HOST}:8082        ${LAN.neighbour.four}
  neighbour  192.0.2.1:8082      -
  far        ${HOST}:8082        ${LAN.far.four}
  other      ${HOST}:8082        gw:web

other, publishes nothing
  host       @other:80           gw:other
  neighbour  @other:80           -
  far        @other:80           -
  idle       @other:80           -
  web        @other:80           -

inner, on an internal network
  host       @inner:80           gw:inner
  host       ${HOST}:8083        -
  innermate  @inner:80           @innermate
  neighbour  @inner:80           -
  neighbour  ${HOST}:8083        -
  idle       @inner:80           -

apart, without traffic inside
  apartmate  @apart:80           -
  apartmate  ${HOST}:8084        gw:apart
  neighbour  ${HOST}:8084        ${LAN.neighbour.four}
  host       @apart:80           gw:apart

six, with IPv6
  host       127.0.0.1:8085      gw:six
  host       [${HOST6}]:8085     ${HOST6}
  host       [::1]:8085          gw6:six
  host       [::1]:8086          gw6:six
  host       [@six6]:81          gw6:six
  neighbour  ${HOST}:8085        ${LAN.neighbour.four}
  neighbour  [${HOST6}]:8085     ${LAN.neighbour.six}
  neighbour  [${HOST6}]:8086     -
  neighbour  [@six6]:80          -
  neighbour  [@six6]:81          -
  far        [${HOST6}]:8085     ${LAN.far.six}
  far        [@six6]:80          -
  other      ${HOST}:8085        gw:six
  web        @six:80             -

routed, published without translation
  neighbour  @routed:80          ${LAN.neighbour.four}
  neighbour  @routed:81          -
  neighbour  ${HOST}:8087        -
  far        @routed:80          ${LAN.far.four}
  other      @routed:80          @other
  other      @routed:81          -

the world
  web        ${LAN.neighbour.four}:7   ${HOST}
  other      ${LAN.neighbour.four}:7   ${HOST}
  apart      ${LAN.neighbour.four}:7   ${HOST}
  six        [${LAN.neighbour.six}]:7  ${HOST6}
  routed     ${LAN.neighbour.four}:7   @routed
  inner      ${LAN.neighbour.four}:7   -
`

/** What a running Docker 28 leaves in the packet filter, with a container of its own that publishes 8099. */
const DOCKER = ['ip', 'ip6']
  .map(
    (family) => `table ${family} nat {
  chain DOCKER {
    iifname "docker0" counter return
    ${family === 'ip' ? 'iifname != "docker0" tcp dport 8099 counter dnat to 172.17.0.2:80' : ''}
  }
  chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local counter jump DOCKER; }
  chain OUTPUT { type nat hook output priority -100; policy accept; fib daddr type local counter jump DOCKER; }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept;
    ${family === 'ip' ? 'ip saddr 172.17.0.0/16 oifname != "docker0" counter masquerade;' : ''}
  }
}
table ${family} filter {
  chain DOCKER { iifname != "docker0" oifname "docker0" counter drop; }
  chain DOCKER-BRIDGE { oifname "docker0" counter jump DOCKER; }
  chain DOCKER-CT { oifname "docker0" ct state related,established counter accept; }
  chain DOCKER-ISOLATION-STAGE-2 { oifname "docker0" counter drop; }
  chain DOCKER-ISOLATION-STAGE-1 { iifname "docker0" oifname != "docker0" counter jump DOCKER-ISOLATION-STAGE-2; }
  chain DOCKER-FORWARD {
    counter jump DOCKER-CT
    counter jump DOCKER-ISOLATION-STAGE-1
    counter jump DOCKER-BRIDGE
    iifname "docker0" counter accept
  }
  chain DOCKER-USER { }
  chain FORWARD { type filter hook forward priority filter; policy drop;
    counter jump DOCKER-USER
    counter jump DOCKER-FORWARD
  }
}
`,
  )
  .join('')

const GUARD = `table inet guard {
  chain everything { type filter hook forward priority 10; policy drop; }
}
`

test('the policy holds where nobody else filters', () => policyHolds())

test('the policy holds beside a Docker that drops what is forwarded', async () => {
  await runNft(DOCKER)
  await settled()
  await policyHolds()
})

test('the policy holds beside a guard that drops what is forwarded', async () => {
  await runNft('flush ruleset')
  await runNft(GUARD)
  await settled()
  await policyHolds()
  await runNft('delete table inet guard')
})

test('the policy holds again after each reload of the packet filter', async () => {
  for (const rules of [DOCKER, GUARD, DOCKER, '']) {
    await runNft(`flush ruleset\n${rules}`)
    await settled()
    const seen = await vantages.get('neighbour')?.ask(HOST, 8080)
    assert.equal(seen, LAN.neighbour.four)
  }
  await policyHolds()
})

/** Milliseconds for somebody who should answer, on a machine that has much else to do. */
const PATIENCE = 20_000

test('a link opens the exposed ports of the other, one way, where containers of the default bridge are kept apart', async () => {
  const own = folder.join('linked')
  mkdirSync(own)
  await using records = await openDatabase(`${own}/engine.db`)
  const closed = openNetworks({ db: records, execRoot: `${own}/run`, clock: systemClock(), log, icc: false })
  const [server, client] = ['a'.repeat(64), 'b'.repeat(64)]
  try {
    const there = await closed.attach({ ...plainAttach(server, 'bridge'), name: 'server', exposedPorts: ['80/tcp'] })
    const links = [{ container: server, alias: 'db' }]
    const here = await closed.attach({ ...plainAttach(client, 'bridge'), name: 'client', links })
    await using one = openVantage(there.path)
    await using other = openVantage(here.path)
    for (const port of [80, 81]) await Promise.all([one.serve(port), other.serve(port)])
    const [to, from] = [there.endpoints[0]?.address ?? '', here.endpoints[0]?.address ?? '']
    assert.equal(await other.ask(to, 80, { wait: PATIENCE }), from)
    assert.equal(await other.ask(to, 81, { wait: 1500 }), undefined)
    assert.equal(await one.ask(from, 80, { wait: 1500 }), undefined)
    await closed.detach(client)
    const again = await closed.attach({ ...plainAttach(client, 'bridge'), name: 'client' })
    await using third = openVantage(again.path)
    assert.equal(await third.ask(to, 80, { wait: 1500 }), undefined)
  } finally {
    await closed.teardown()
  }
})

async function policyHolds(): Promise<void> {
  const rows = POLICY.split('\n').filter((line) => line.startsWith('  '))
  const found = await Promise.all(
    rows.map(async (row) => {
      const [who = '', where = '', seen = ''] = row.trim().split(/\s+/)
      const wait = seen === '-' ? 1500 : PATIENCE
      return `${who} ${where} ${(await ask(who, where, wait)) ?? '-'}`
    }),
  )
  const stated = rows.map((row) => {
    const [who = '', where = '', seen = ''] = row.trim().split(/\s+/)
    return `${who} ${where} ${resolve(seen)}`
  })
  assert.deepEqual(
    found.filter((row) => !stated.includes(row)),
    stated.filter((row) => !found.includes(row)),
  )
}

function ask(who: string, where: string, wait: number): Promise<string | undefined> {
  const match = /^\[?(.*?)\]?:(\d+)(?:\/(tcp|udp))?$/.exec(where)
  const [address, port] = [resolve(match?.[1] ?? ''), Number(match?.[2])]
  const vantage = vantages.get(who)
  assert.ok(vantage, who)
  return vantage.ask(address, port, { wait, protocol: match?.[3] === 'udp' ? 'udp' : 'tcp' })
}

/** «@web», «@six6»; «gw:web», «gw6:six»: the bridge of its network; or an address itself. */
function resolve(text: string): string {
  const match = /^(@|gw6?:)([a-z]+)(6?)$/.exec(text)
  if (!match) return text
  const [, kind, name = '', six] = match
  const endpoint = containers.get(name)?.endpoints[0]
  const own = six === '6' ? endpoint?.address6 : endpoint?.address
  const found = kind === '@' ? own : gateways.get(`${CONTAINERS[name]?.network}${kind === 'gw6:' ? 6 : ''}`)
  assert.ok(found, text)
  return found
}

/** Until our rules stand again, and accepts where others drop. */
async function settled(): Promise<void> {
  for (let patience = 200; patience > 0; patience -= 1) {
    const rules = JSON.stringify(await listNft())
    const dropped = rules.includes('"policy":"drop"') || rules.includes('"policy": "drop"')
    const accepted = (rules.match(/"left":\{"meta":\{"key":"oifname"\}\},"right":"mica-\w+"/g) ?? []).length > 0
    if (rules.includes('"everywhere4"') && (!dropped || accepted)) return
    await new Promise((wake) => setTimeout(wake, 25))
  }
  assert.fail('the rules did not come back')
}

async function rulesOfOurs(): Promise<readonly string[]> {
  return JSON.stringify(await listNft()).match(/mica[-_]\w+/g) ?? []
}

async function makeNetworks(made: Networks): Promise<void> {
  const plain = { internal: false, attachable: false, ipam: [], ipamOptions: {}, labels: {}, options: {} }
  await made.create({ ...plain, name: 'other' })
  await made.create({ ...plain, name: 'inner', internal: true })
  await made.create({ ...plain, name: 'apart', options: { 'com.docker.network.bridge.enable_icc': 'false' } })
  await made.create({ ...plain, name: 'six', ipv6: true, ipam: [{ subnet: 'fd00:77::/64', gateway: 'fd00:77::1' }] })
  await made.create({
    ...plain,
    name: 'routed',
    options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed' },
  })
}

function attachOf(name: string, index: number, { network, ports = [] }: Container): AttachRequest {
  const id = (index + 1).toString(16).padStart(64, '0')
  return { ...plainAttach(id, network), name, ports, exposedPorts: ['80/tcp'] }
}

function open(name: string, path: string | undefined): void {
  vantages.set(name, openVantage(path))
}
