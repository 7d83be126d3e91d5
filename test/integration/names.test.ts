import { silentLog, systemClock } from '#base'
import { runProcess } from '#kernel'
import { type AttachRequest, type EndpointRequest, type Networks, openNetworks } from '#network'
import { openDatabase } from '#store/db'
import { createSwitchboard } from '#switchboard'
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import { createResolverClient, type ResolverClient } from '#test/resolver'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'

// Containers without processes look each other up while they come, go and change networks; by MICA_SOAK=1 many of them.
ownMountNamespace({ network: true })

const SOAK = process.env['MICA_SOAK'] !== undefined
const CONTAINERS = SOAK ? 200 : 24
const LOOKUPS = SOAK ? 50_000 : 1500
/** Restarts and changes of networks in between, at least. */
const CHANGES = SOAK ? 200 : 24
const NETWORKS = ['front', 'middle', 'back'] as const
/** As long as the C library waits for an answer. Milliseconds. */
const PATIENCE = 5000

const folder = temporary()

after(() => folder[Symbol.dispose]())

test(`${LOOKUPS} lookups in ${CONTAINERS} containers on ${NETWORKS.length} networks that change all the while`, async () => {
  await runProcess('ip', ['link', 'set', 'lo', 'up'])
  const before = await interfaces()
  await using world = await openWorld()
  const asking: Asking = { left: LOOKUPS, slowest: 0, failed: [], answered: [] }
  const lookers = Array.from({ length: 16 }, (_, index) => look(world, asking, index))
  const changers = [churn(world, asking, 0), churn(world, asking, 1)]
  await Promise.all([...lookers, ...changers])
  assert.deepEqual(asking.failed, [])
  // Now that it is known what was true when.
  const wrong = asking.answered.flatMap((answered) => (isRight(world.members, answered) ? [] : [textOf(answered)]))
  assert.deepEqual(wrong, [])
  await world[Symbol.asyncDispose]()
  await until('the interfaces are gone', async () => (await interfaces()) === before, 30)
  assert.deepEqual(readdirSync(join(folder.path, 'run', 'netns')), [])
  console.log(`slowest answer ${asking.slowest.toFixed(1)} ms, ${world.changes()} changes`)
})

async function interfaces(): Promise<string> {
  return (await runProcess('ip', ['-brief', 'link'])).stdout.toString()
}

/** What was true of a name from one moment to another: it is right as long as a lookup overlaps it. */
interface Truth {
  readonly from: number
  until: number
  /** Undefined: it is not there. */
  readonly addresses: { readonly four: string; readonly six: string | undefined } | undefined
}

interface Member {
  readonly name: string
  readonly id: string
  /** Of the containers that are never changed. */
  readonly steady: boolean
  path: string
  client: ResolverClient | undefined
  /** By network. */
  readonly truths: Map<string, Truth[]>
}

interface World extends AsyncDisposable {
  readonly members: readonly Member[]
  readonly networks: Networks
  readonly changed: () => void
  readonly changes: () => number
}

async function openWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const db = stack.use(await openDatabase(folder.join('engine.db')))
  const entry = new URL('../../src/bin/switchboard.ts', import.meta.url)
  const execRoot = folder.join('run')
  mkdirSync(execRoot)
  const switchboard = stack.use(createSwitchboard({ execRoot, entry, log: silentLog() }))
  const networks = stack.use(openNetworks({ db, execRoot, clock: systemClock(), log: silentLog(), switchboard }))
  stack.defer(() => networks.teardown())
  for (const [index, name] of NETWORKS.entries()) {
    const plain = { internal: false, attachable: false, ipamOptions: {}, labels: {}, options: {} }
    const subnets = [`10.${60 + index}.0.0/16`, ...(index === 0 ? ['fd00:60::/64'] : [])]
    await networks.create({ ...plain, name, ipv6: index === 0, ipam: subnets.map((subnet) => ({ subnet })) })
  }
  const members = Array.from({ length: CONTAINERS }, (_, index) => memberOf(index))
  stack.defer(() => {
    for (const { client } of members) client?.[Symbol.dispose]()
  })
  for (const member of members) await start(networks, member)
  let changes = 0
  const kept = stack.move()
  return {
    members,
    networks,
    changed: () => void (changes += 1),
    changes: () => changes,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

function memberOf(index: number): Member {
  const id = `f${index.toString(16).padStart(11, '0')}`.padEnd(64, '0')
  return { name: `c${index}`, id, steady: index % 2 === 0, path: '', client: undefined, truths: new Map() }
}

function requestFor(network: string): EndpointRequest {
  return { network, aliases: ['All'], linkLocal: [], links: [], driverOptions: {}, gwPriority: 0 }
}

/** Every container is in two of the three networks. */
async function start(networks: Networks, member: Member): Promise<void> {
  const at = Number.parseInt(member.name.slice(1), 10)
  const wanted = [NETWORKS[at % 3] ?? 'front', NETWORKS[(at + 1) % 3] ?? 'back']
  const request: AttachRequest = {
    container: member.id,
    name: member.name,
    hostname: member.name,
    mode: wanted[0] ?? '',
    networks: wanted.map(requestFor),
    ports: [],
    publishAll: false,
    exposedPorts: [],
    links: [],
    dns: { servers: [], search: [], options: [] },
  }
  const begin = performance.now()
  const { endpoints, path = '' } = await networks.attach(request)
  for (const { network, address = '', address6 } of endpoints)
    begun(member, network, { begin, four: address, six: address6 })
  member.path = path
  member.client = createResolverClient(path)
}

function begun(
  member: Member,
  network: string,
  { begin, four, six }: { readonly begin: number; readonly four: string; readonly six: string | undefined },
): void {
  const truths = member.truths.get(network) ?? [absent(0)]
  const last = truths.at(-1)
  if (last) last.until = performance.now()
  member.truths.set(network, [...truths, { from: begin, until: Infinity, addresses: { four, six } }])
}

function ended(member: Member, network: string, begin: number): void {
  const truths = member.truths.get(network) ?? []
  const last = truths.at(-1)
  if (last) last.until = performance.now()
  member.truths.set(network, [...truths, absent(begin)])
}

function absent(from: number): Truth {
  return { from, until: Infinity, addresses: undefined }
}

interface Asking {
  left: number
  slowest: number
  /** Lookups without an answer. */
  readonly failed: string[]
  readonly answered: Answered[]
}

interface Answered {
  readonly member: Member
  /** Absent for the name of all. */
  readonly target: Member | undefined
  readonly span: Span
  readonly four: readonly string[]
  readonly six: readonly string[]
}

function textOf({ member, target, four, six }: Answered): string {
  return `${member.name} asked for ${target?.name ?? 'all'}: ${four.join()} | ${six.join()}`
}

function isUnderWay(world: World, asking: Asking): boolean {
  return asking.left > 0 || world.changes() < CHANGES
}

/** Restarts containers, and takes them out of networks and puts them back. */
async function churn(world: World, asking: Asking, half: number): Promise<void> {
  const { members, networks, changed } = world
  const changing = members.filter(({ steady }, index) => !steady && (index >> 1) % 2 === half)
  for (let turn = 0; isUnderWay(world, asking); turn += 1) {
    const member = changing[turn % changing.length]
    if (!member) return
    changed()
    const begin = performance.now()
    const [network] = [...member.truths].findLast(([, truths]) => truths.at(-1)?.addresses !== undefined) ?? ['']
    if (turn % 3 === 0) {
      const client = member.client
      member.client = undefined
      await networks.detach(member.id)
      for (const name of member.truths.keys()) ended(member, name, begin)
      client?.[Symbol.dispose]()
      await start(networks, member)
      continue
    }
    await networks.disconnect(member.id, network, { force: false })
    ended(member, network, begin)
    const { name, id } = member
    const again = performance.now()
    const dns = { servers: [], search: [], options: [] }
    const endpoint = await networks.connect({ id, name, hostname: name, dns }, requestFor(network))
    begun(member, network, { begin: again, four: endpoint.address ?? '', six: endpoint.address6 })
  }
}

/** A and AAAA of a neighbour at once; now and then the name of all, which does not fit into a datagram. */
async function look(world: World, asking: Asking, index: number): Promise<void> {
  const { members } = world
  for (let turn = index; isUnderWay(world, asking); turn += 7) {
    const member = members[turn % members.length]
    const target = members[(turn * 5 + (turn % 11)) % members.length]
    const client = member?.client
    if (!member || !target || !client || target === member) {
      await new Promise(setImmediate)
      continue
    }
    asking.left -= 2
    const begin = performance.now()
    const all = turn % 13 === 0
    const name = all ? 'aLL' : target.name
    try {
      const [four, six] = await Promise.all([
        client.ask({ name, type: 'A' }, PATIENCE),
        client.ask({ name, type: 'AAAA' }, PATIENCE),
      ])
      const span = { from: begin, until: performance.now() }
      asking.slowest = Math.max(asking.slowest, span.until - span.from)
      const records = { four: four.records, six: six.records }
      asking.answered.push({ member, target: all ? undefined : target, span, ...records })
    } catch (error) {
      // Its container went, and its socket with it.
      if (member.client === client) asking.failed.push(`${member.name} asked for ${name}: ${String(error)}`)
    }
  }
}

interface Span {
  readonly from: number
  readonly until: number
}

/** What was true of a member in a network at some moment of the lookup. */
function truthsIn(member: Member, network: string, span: Span): readonly Truth['addresses'][] {
  const truths = member.truths.get(network) ?? [absent(0)]
  return truths.filter(({ from, until }) => from <= span.until && until >= span.from).map(({ addresses }) => addresses)
}

function isRight(members: readonly Member[], answered: Answered): boolean {
  return answered.target ? isRightForOne(answered, answered.target) : isRightForAll(members, answered)
}

/** An address in some network that both were in, or none where there was a moment without such a network. */
function isRightForOne({ member, span, four, six }: Answered, target: Member): boolean {
  const shared = NETWORKS.filter((network) => truthsIn(member, network, span).some(Boolean))
  const addresses = shared.flatMap((network) => truthsIn(target, network, span)).filter((one) => one !== undefined)
  const isSix = (record: string): boolean =>
    addresses.some((one) => one.six !== undefined && bytesOf(one.six) === record)
  if (!six.every(isSix)) return false
  if (four.length > 0) return four.length === 1 && addresses.some((one) => one.four === four[0])
  return !shared.some((network) => [target, member].every((one) => truthsIn(one, network, span).every(Boolean)))
}

/** Everybody of one network, but for those that come or go. */
function isRightForAll(members: readonly Member[], { member, span, four }: Answered): boolean {
  const given = new Set(four)
  return NETWORKS.some((network) => {
    if (!truthsIn(member, network, span).some(Boolean)) return false
    const known = members.map((one) => truthsIn(one, network, span))
    const possible = new Set(known.flatMap((truths) => truths.flatMap((one) => (one ? [one.four] : []))))
    const certain = known.flatMap((truths) => (truths.length === 1 && truths[0] ? [truths[0].four] : []))
    return four.every((record) => possible.has(record)) && certain.every((address) => given.has(address))
  })
}

/** An IPv6 address of these networks («fd00:60::5») as the client shows it. */
function bytesOf(address: string): string {
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string): string[] =>
    text
      .split(':')
      .filter(Boolean)
      .map((group) => group.padStart(4, '0'))
  const [before, behind] = [groups(head), groups(tail)]
  return [...before, ...Array.from({ length: 8 - before.length - behind.length }, () => '0000'), ...behind].join('')
}
