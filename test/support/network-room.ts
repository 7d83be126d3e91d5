import { type EngineEvent } from '#event'
import { silentLog, systemClock } from '#base'
import { listNft, readDescriptor, runProcess, spawnProcess, withNetworkNamespace } from '#kernel'
import {
  type AttachRequest,
  type EndpointRequest,
  type NetworkRequest,
  type Networks,
  type NetworksOptions,
  openNetworks,
  plainAttach,
} from '#network'
import { openDatabase } from '#store/db'
import assert from 'node:assert/strict'
import { closeSync, mkdirSync, readdirSync } from 'node:fs'

type Flags = Partial<Omit<NetworksOptions, 'db' | 'execRoot' | 'clock' | 'log' | 'events'>>

export interface SceneOptions {
  /** A folder that is not there yet. */
  readonly root: string
  /** What the daemon's flags say. */
  readonly flags?: Flags
  /** Others make links meanwhile: that none is left is not asserted. */
  readonly othersAttach?: boolean
}

/** Networks of one daemon; `reopen` is a daemon that follows one which was killed. */
export type Work = (
  networks: Networks,
  reopen: (flags?: Flags) => Promise<Networks>,
  events: readonly Omit<EngineEvent, 'time'>[],
) => Promise<void>

/** The network room of a daemon with a root of its own; torn down afterwards, and nothing is left. */
export async function withNetworks({ root, flags, othersAttach }: SceneOptions, work: Work): Promise<void> {
  mkdirSync(root)
  const before = await links()
  const opened: AsyncDisposable[] = []
  const events: Omit<EngineEvent, 'time'>[] = []
  const emit = (event: Omit<EngineEvent, 'time'>): void => void events.push(event)
  const open = async (more: Flags = {}): Promise<Networks> => {
    for (const db of opened.splice(0)) await db[Symbol.asyncDispose]()
    const db = await openDatabase(`${root}/engine.db`)
    opened.push(db)
    const parts = { db, execRoot: `${root}/run`, clock: systemClock(), log: silentLog(), events: { emit } }
    return openNetworks({ ...flags, ...more, ...parts })
  }
  let networks = await open()
  const own = (await networks.get('bridge')).bridge!
  const reopen = async (more?: Flags): Promise<Networks> => {
    networks[Symbol.dispose]()
    networks = await open(more)
    return networks
  }
  try {
    await work(networks, reopen, events)
  } finally {
    await networks.teardown()
  }
  assert.deepEqual(readdirSync(`${root}/run/netns`), [])
  for (const db of opened) await db[Symbol.asyncDispose]()
  assert.ok(!(await rules()).includes(own), 'rules were left')
  if (!othersAttach) await settled(before)
}

/** Waits until the links are these: veth pairs go some milliseconds after their namespace. */
export async function settled(wanted: string): Promise<void> {
  for (let patience = 1500; (await links()) !== wanted && patience > 0; patience -= 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(await links(), wanted)
}

const SERVER = `require('net').createServer((s) => s.end(s.remoteAddress)).listen(7, process.argv[1], () => console.log('up'))`
const CLIENT = `const s = require('net').connect(7, process.argv[1]); s.setTimeout(4000, () => s.destroy(new Error('timeout')));
s.on('error', (e) => { console.error(e.message); process.exit(1) }); s.pipe(process.stdout)`

/** Which address a server in one namespace sees of a client in another; `undefined`: the host. Rejects where it cannot be reached. */
export async function whoAsks(
  server: string | undefined,
  address: string,
  client: string | undefined,
): Promise<string> {
  const start = () =>
    spawnProcess({ file: process.execPath, args: ['-e', SERVER, address], stdio: ['ignore', 'pipe', 2] })
  const serving = server === undefined ? start() : withNetworkNamespace(server, start)
  const output = serving.pipes.get(1)!
  try {
    await firstByte(output)
    const run = () => runProcess(process.execPath, ['-e', CLIENT, address])
    const { status, stdout, stderr } = await (client === undefined ? run() : withNetworkNamespace(client, run))
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
export function inside<T>(path: string, work: () => Promise<T>): Promise<T> {
  return withNetworkNamespace(path, work)
}

/** The packet filter without its counters. */
export async function rules(): Promise<string> {
  return JSON.stringify(await listNft()).replaceAll(/"(packets|bytes)":\d+/g, '')
}

export async function ip(args: string): Promise<string> {
  const { status, stdout, stderr } = await runProcess('ip', args.split(' '))
  assert.equal(status.code, 0, `ip ${args}: ${stderr.toString()}`)
  return stdout.toString()
}

/** Names of the links, without what stands behind «@». */
export async function links(): Promise<string> {
  return [...(await ip('-o link')).matchAll(/^\d+: ([^:@]+)/gm)]
    .map((match) => match[1])
    .toSorted((one, other) => ((one ?? '') < (other ?? '') ? -1 : 1))
    .join(' ')
}

/** A network that nothing special is asked of. */
export function network(name: string, more: Partial<NetworkRequest> = {}): NetworkRequest {
  const plain = { internal: false, attachable: false, ipam: [], ipamOptions: {}, labels: {}, options: {} }
  return { ...plain, name, ...more }
}

export function endpoint(name: string, more: Partial<EndpointRequest> = {}): EndpointRequest {
  const plain = { linkLocal: [], aliases: [], links: [], driverOptions: {}, gwPriority: 0 }
  return { ...plain, network: name, ...more }
}

/** An attachment of a container that is called after the first digit of its id. */
export function attach(container: string, ...networks: readonly EndpointRequest[]): AttachRequest {
  return { ...plainAttach(container, networks[0]!.network), name: `c${container[0]}`, networks }
}

/** The same container, as a connect names it. */
export function attached(container: string) {
  return { id: container, name: `c${container[0]}`, hostname: '', dns: { servers: [], search: [], options: [] } }
}
