import { silentLog } from '#base'
import { listNft, runNft } from '#kernel'
import { createFirewall, createPorts, type FilterContainer, type FilterNetwork, type Firewall } from '#network/filter'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { within } from '#test/lan'
import { ownMountNamespace } from '#test/mount-namespace'

ownMountNamespace({ network: true })
within(undefined, 'ip link set lo up')

const TABLE = 'mica_test'
const log = silentLog()

interface Step {
  readonly kind: 'publish' | 'drop' | 'open' | 'flush' | 'restart'
  readonly container: number
  readonly ports: readonly number[]
  readonly networks: number
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('publish', 'publish', 'publish', 'drop', 'drop', 'open', 'flush', 'restart'),
    container: fc.nat(5),
    ports: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
    networks: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 25 },
)

const networkOf = (index: number): FilterNetwork => ({
  id: `network${index}`,
  bridge: `br-${index}`,
  subnet: `10.77.${index}.0/24`,
  internal: false,
  icc: index !== 2,
  masquerade: true,
})

/** Container n is on network n % 3 and publishes ports of its own: 1000 n + p. */
const containerOf = ({ container, ports }: Pick<Step, 'container' | 'ports'>): FilterContainer => ({
  container: `container${container}`,
  via: { bridge: `br-${container % 3}`, address: `10.77.${container % 3}.${container + 2}` },
  endpoints: [],
  links: [],
  ports: ports.map((port) => ({
    containerPort: port,
    protocol: port % 2 ? 'tcp' : 'udp',
    hostIp: '0.0.0.0',
    hostPort: 1000 * (container + 1) + port,
  })),
})

test('whatever is published, dropped, flushed or started again, the rules are those of the records', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const scene = new Scene()
      try {
        await scene.firewall.open([0, 1, 2].map(networkOf))
        for (const step of all) await scene.take(step)
        await settled(() => scene.expected())
      } finally {
        await scene.firewall.close()
      }
      assert.deepEqual(await tables(), [])
    }),
    { numRuns: 30 },
  )
})

/** A firewall, and the records that its rules should follow. */
class Scene {
  firewall: Firewall = createFirewall({ table: TABLE, log })
  readonly #records = new Map<string, FilterContainer>()
  #networks: readonly FilterNetwork[] = [0, 1, 2].map(networkOf)

  async take(step: Step): Promise<void> {
    const container = containerOf(step)
    switch (step.kind) {
      case 'publish':
        this.#records.set(container.container, container)
        return await this.firewall.setContainer(container)
      case 'drop':
        this.#records.delete(container.container)
        return await this.firewall.dropContainer(container.container)
      case 'open':
        this.#networks = [0, 1, 2].slice(0, step.networks).map(networkOf)
        return await this.firewall.open(this.#networks)
      case 'flush':
        return await runNft('flush ruleset')
      case 'restart':
        this.firewall[Symbol.dispose]()
        this.firewall = createFirewall({ table: TABLE, log })
        await this.firewall.restore([...this.#records.values()])
        return await this.firewall.open(this.#networks)
    }
  }

  /** «tcp 1001 10.77.0.2 1», sorted. */
  expected(): readonly string[] {
    const there = new Set(this.#networks.map(({ bridge }) => bridge))
    return [...this.#records.values()]
      .filter(({ via }) => there.has(via?.bridge ?? ''))
      .flatMap(({ via, ports }) =>
        ports.map(({ protocol, hostPort, containerPort }) =>
          [protocol, hostPort, via?.address, containerPort].join(' '),
        ),
      )
      .toSorted()
  }
}

async function settled(expected: () => readonly string[]): Promise<void> {
  const patience = Date.now() + 20_000
  while (Date.now() < patience) {
    if (JSON.stringify(await published()) === JSON.stringify(expected())) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.deepEqual(await published(), expected())
}

interface Listed {
  readonly map?: { readonly table: string; readonly name: string; readonly elem?: readonly Pair[] }
  readonly table?: { readonly name: string }
}
type Pair = readonly [{ readonly concat: readonly unknown[] }, { readonly concat: readonly unknown[] }]

async function listed(): Promise<readonly Listed[]> {
  return ((await listNft()) as { readonly nftables?: readonly Listed[] }).nftables ?? []
}

async function published(): Promise<readonly string[]> {
  const { map } = (await listed()).find((one) => one.map?.name === 'everywhere4') ?? {}
  return (map?.elem ?? []).map(([key, value]) => [...key.concat, ...value.concat].join(' ')).toSorted()
}

async function tables(): Promise<readonly string[]> {
  return (await listed()).flatMap(({ table }) => table?.name ?? [])
}

test('a datagram’s flow to a port that gets published, or loses its container, is forgotten', async () => {
  const firewall = createFirewall({ table: TABLE, log })
  await firewall.open([networkOf(0)])
  const [dns, other] = [1002, 1004]
  const web = containerOf({ container: 0, ports: [2] })
  await flow(dns)
  await flow(other)
  await flowsAre(2)
  await firewall.setContainer(web)
  await flowsAre(1)
  await firewall.setContainer({ ...web, ports: [] })
  await flow(dns)
  await firewall.setContainer(web)
  await firewall.dropContainer(web.container)
  await flowsAre(1)
  // To the same port of somebody else.
  const links =
    'ip link add near type veth peer far; ip addr add 192.0.2.1/24 dev near; ip link set near up; ip link set far up'
  execFileSync('sh', ['-ec', links])
  await flow(dns, '192.0.2.9')
  await flow(dns, '192.0.2.1')
  await flowsAre(3)
  await firewall.setContainer(web)
  await flowsAre(2)
  await firewall.close()
  execFileSync('sh', ['-ec', 'ip link delete near'])
})

/** Somebody sends a datagram there, and nobody answers. */
async function flow(port: number, address = '127.0.0.1'): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.send('x', port, address, () => resolve()))
  socket.close()
}

async function flowsAre(wanted: number): Promise<void> {
  const count = (): number => Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_count', 'utf8'))
  for (let patience = 200; count() !== wanted && patience > 0; patience -= 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(count(), wanted)
}

const REQUEST = { container: 'c', name: 'web', endpoint: 'e1', address: '10.0.0.2', ipv6: true, publishAll: false }
const tcp = (hostPort: number, hostIp?: string) =>
  ({ containerPort: 80, protocol: 'tcp', hostPort, ...(hostIp !== undefined && { hostIp }) }) as const

test('a reserved port is nobody else’s until it is released', async () => {
  const ports = createPorts({ log })
  const wish = { ...REQUEST, exposedPorts: [], ports: [tcp(18080)] }
  assert.deepEqual(
    (await ports.reserve(wish)).map(({ hostIp, hostPort }) => [hostIp, hostPort]),
    [
      ['0.0.0.0', 18080],
      ['::', 18080],
    ],
  )
  assert.equal(await listenError(18080), 'EADDRINUSE')
  await assert.rejects(ports.reserve({ ...wish, container: 'd' }), {
    message:
      'driver failed programming external connectivity on endpoint web (e1): Bind for 0.0.0.0:18080 failed: port is already allocated',
  })
  ports.release('c')
  assert.equal(await listenError(18080), undefined)
})

test('a port that another program has is told of, and nothing is held afterwards', async () => {
  const ports = createPorts({ log })
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(18091, '127.0.0.1', resolve))
  await assert.rejects(ports.reserve({ ...REQUEST, exposedPorts: [], ports: [tcp(18090), tcp(18091)] }), {
    message: /: failed to bind host port for 0\.0\.0\.0:18091:10\.0\.0\.2:80\/tcp: address already in use$/,
  })
  assert.equal(await listenError(18090), undefined)
  const range = { ...tcp(0), hostPort: { from: 18091, to: 18093 } }
  const found = await ports.reserve({ ...REQUEST, exposedPorts: [], ports: [range] })
  assert.equal(found[0]?.hostPort, 18092)
  await assert.rejects(ports.reserve({ ...REQUEST, exposedPorts: [], ports: [tcp(18094, '203.0.113.7')] }), {
    message: /203\.0\.113\.7:18094:10\.0\.0\.2:80\/tcp: cannot assign requested address$/,
  })
  ports.release('c')
  await new Promise((resolve) => other.close(resolve))
})

test('ports that are chosen go on from the last, over daemon restarts too they stay held', async () => {
  const ports = createPorts({ log, publishDefault: '127.0.0.1' })
  const wish = { ...REQUEST, exposedPorts: ['80/tcp', '81/tcp'], publishAll: true, ports: [] }
  const [one, two] = await ports.reserve(wish)
  assert.equal(one?.hostIp, '127.0.0.1')
  assert.equal(two?.hostPort, (one?.hostPort ?? 0) + 1)
  const [three] = await ports.reserve(wish)
  assert.ok((three?.hostPort ?? 0) > (two?.hostPort ?? 0))
  ports.release('c')
  const next = createPorts({ log })
  await next.restore([{ containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 18100, container: 'c' }])
  assert.equal(await listenError(18100), 'EADDRINUSE')
  next.release('c')
  assert.equal(await listenError(18100), undefined)
})

/** The errno of listening at a port of all addresses; undefined where that works. */
function listenError(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(undefined)))
  })
}
