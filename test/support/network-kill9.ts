import { listNft } from '#kernel'
import { startDaemon, type TestDaemon } from '#test/daemon'
import { type Docker, dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ip } from '#test/network-room'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'

/** What is under way when the daemon is killed. */
const WORKS = ['connect', 'publish', 'remove', 'disconnect', 'network'] as const
type WorkName = (typeof WORKS)[number]

interface Scene {
  readonly daemon: TestDaemon
  readonly docker: Docker
}

/**
 * Kills the daemon at `rounds` random moments of connect, publish, remove, disconnect and network create, starts a new
 * one each time, and asserts that rules, links, namespaces and addresses are those of the records and traffic flows.
 */
export async function killNetworksAtRandomMoments(rounds: number, random: () => number): Promise<void> {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using daemon = await startDaemon({ folder: folder.path })
    using docker = dockerClient(daemon.host)
    const scene = { daemon, docker }
    await prepare(docker)
    for (let round = 0; round < rounds; round += 1) await oneRound(scene, round, random)
    await docker.ok('rm', '-f', 'keeper', 'mover')
    await docker.ok('network', 'rm', 'home', 'away')
  }
  await leftovers.assertNothingLeft()
}

/** A server that says its own name. */
const SERVE = 'hostname >/tmp/index.html; exec httpd -f -p 80 -h /tmp'

async function prepare(docker: Docker): Promise<void> {
  await docker.ok('pull', '-q', 'busybox')
  await docker.ok('network', 'create', 'home')
  await docker.ok('network', 'create', '--ipv6', 'away')
  for (const name of ['keeper', 'mover']) await docker.ok(...serving(name, 'home'))
}

function serving(name: string, network: string): readonly string[] {
  return [
    'run',
    '-d',
    '--name',
    name,
    '--hostname',
    name,
    '--network',
    network,
    '-p',
    '80',
    'busybox',
    'sh',
    '-c',
    SERVE,
  ]
}

async function oneRound({ daemon, docker }: Scene, round: number, random: () => number): Promise<void> {
  const work = WORKS[round % WORKS.length] ?? 'connect'
  const name = `round${round}`
  await before(docker, work, name)
  const under = docker.run(lineOf(work, name))
  await new Promise((resolve) => setTimeout(resolve, random() * 250))
  await daemon.kill9()
  await under
  await daemon.restart()
  await assertAgreement({ daemon, docker }, `round ${round}, ${work}`)
  await docker.run(['rm', '-f', name])
  await docker.run(['network', 'rm', name])
}

async function before(docker: Docker, work: WorkName, name: string): Promise<void> {
  if (work === 'connect') await docker.run(['network', 'disconnect', 'away', 'mover'])
  if (work === 'disconnect') await docker.run(['network', 'connect', 'away', 'mover'])
  if (work === 'remove') await docker.ok(...serving(name, 'away'))
}

function lineOf(work: WorkName, name: string): readonly string[] {
  const lines: Readonly<Record<WorkName, readonly string[]>> = {
    connect: ['network', 'connect', 'away', 'mover'],
    disconnect: ['network', 'disconnect', 'away', 'mover'],
    publish: serving(name, 'home'),
    remove: ['rm', '-f', name],
    network: ['network', 'create', name],
  }
  return lines[work]
}

interface Facts {
  readonly Id: string
  readonly Name: string
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string; readonly NetworkID: string }>
    >
    readonly Ports: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>>
  }
}

async function assertAgreement({ daemon, docker }: Scene, when: string): Promise<void> {
  const running = (await docker.ok('ps', '-q', '--no-trunc')).split('\n').filter(Boolean)
  const containers = JSON.parse(await docker.ok('inspect', ...running)) as readonly Facts[]
  assert.ok(containers.length >= 2, when)
  await until(`${when}: the namespaces are those of the containers that run`, () => sameNamespaces(daemon, running))
  await assertBridges(docker, containers, when)
  for (const container of containers) await assertInside(docker, container, when)
  await assertRules(docker, containers, when)
}

function sameNamespaces(daemon: TestDaemon, running: readonly string[]): boolean {
  const files = readdirSync(`${daemon.execRoot}/netns`)
  return [...files].toSorted().join() === [...running].toSorted().join()
}

/** Every network of a user has its bridge, and that as many ports as the network has containers. */
async function assertBridges(docker: Docker, containers: readonly Facts[], when: string): Promise<void> {
  const ids = (await docker.ok('network', 'ls', '-q', '--no-trunc', '--filter', 'type=custom')).split('\n')
  for (const id of ids.filter(Boolean)) {
    const bridge = `br-${id.slice(0, 12)}`
    const inIt = containers.filter(({ NetworkSettings }) =>
      Object.values(NetworkSettings.Networks).some(({ NetworkID }) => NetworkID === id),
    )
    const listed = Number(await docker.ok('network', 'inspect', '--format', '{{len .Containers}}', id))
    assert.equal(listed, inIt.length, `${when}: ${bridge} has the containers that say so`)
    await until(`${when}: ${bridge} has ${inIt.length} ports`, async () => {
      const ports = (await ip(`-o link show master ${bridge}`)).split('\n').filter(Boolean)
      return ports.length === inIt.length
    })
  }
}

/** The addresses inside are those of the record; its port answers, and it finds the keeper by name where it can. */
async function assertInside(docker: Docker, { Id, Name, NetworkSettings }: Facts, when: string): Promise<void> {
  const networks = Object.entries(NetworkSettings.Networks)
  const shown = await docker.ok('exec', Id, 'ip', '-o', 'addr')
  const found = [...shown.matchAll(/ (?:inet|inet6) (\S+)\/\d+ .*scope global/g)].map((match) => match[1])
  const said = networks.flatMap(([, one]) => [one.IPAddress, one.GlobalIPv6Address]).filter(Boolean)
  assert.deepEqual(new Set(found), new Set(said), `${when}: addresses of ${Name}`)
  for (const { HostIp, HostPort } of NetworkSettings.Ports['80/tcp'] ?? []) {
    const host = HostIp === '::' ? '[::1]' : '127.0.0.1'
    // its program may have been started a moment ago
    const what = `${when}: port ${HostIp}:${HostPort} of ${Name} answers`
    const text = await until(what, () => textOf(`http://${host}:${HostPort}/index.html`))
    assert.equal(text.trim(), Name.slice(1), what)
  }
  if (networks.some(([name]) => name === 'home'))
    assert.match(await docker.ok('exec', Id, 'ping', '-c', '1', '-W', '5', 'keeper'), / 0% packet loss/, when)
}

async function textOf(url: string): Promise<string | undefined> {
  try {
    return await (await fetch(url)).text()
  } catch {
    return undefined
  }
}

/** Whatever address of a user's network the packet filter speaks of is a running container's. */
async function assertRules(docker: Docker, containers: readonly Facts[], when: string): Promise<void> {
  const live = new Set(
    containers.flatMap(({ NetworkSettings }) =>
      Object.values(NetworkSettings.Networks).flatMap((one) => [one.IPAddress, one.GlobalIPv6Address]),
    ),
  )
  const home = JSON.parse(await docker.ok('network', 'inspect', 'home', 'away')) as readonly {
    readonly IPAM: { readonly Config: readonly { readonly Subnet: string }[] }
  }[]
  const starts = home.flatMap(({ IPAM }) => IPAM.Config.map(({ Subnet }) => Subnet.replace(/(\.0)+\/.*|:?:\/.*/, '')))
  const text = JSON.stringify(await listNft())
  const spoken = [...text.matchAll(/"((?:\d+\.){3}\d+|[0-9a-f:]+::[0-9a-f]+)"/g)].map((match) => match[1] ?? '')
  const ours = spoken.filter((address) =>
    starts.some((start) => address.startsWith(`${start}.`) || address.startsWith(`${start}:`)),
  )
  const strange = ours.filter((address) => !live.has(address) && !/[.0:]0$|[.:]1$/.test(address))
  assert.deepEqual(strange, [], `${when}: rules for nobody`)
}
