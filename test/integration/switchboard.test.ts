import { silentLog } from '#base'
import {
  bindInetSocket,
  createNetworkNamespace,
  removeNetworkNamespace,
  runProcess,
  withNetworkNamespace,
} from '#kernel'
import { createSwitchboard, type Switchboard, type SwitchboardSandbox } from '#switchboard'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import { createResolverClient, decode, encode } from '#test/resolver'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'

ownMountNamespace({ network: true })

const ENTRY = new URL('../../src/bin/switchboard.ts', import.meta.url)
const folder = temporary()

after(() => {
  assert.equal(processWith(folder.path), undefined)
  folder[Symbol.dispose]()
})

test('names are answered while nobody tells the process anything, and by the same one for the next daemon', async () => {
  await using scene = await openScene('outlive')
  await using first = scene.switchboard()
  await first.setSandbox(scene.sandbox)
  await first.setNames('net-id', [{ name: 'web', addresses: ['10.0.0.2'], container: 'w' }])
  using client = createResolverClient(scene.path)
  assert.deepEqual((await client.ask({ name: 'web', type: 'A' })).records, ['10.0.0.2'])
  const pid = scene.pid()
  await first[Symbol.asyncDispose]()
  assert.deepEqual((await client.ask({ name: 'web', type: 'A' })).records, ['10.0.0.2'])
  await using second = scene.switchboard()
  const names = { 'net-id': [{ name: 'web', addresses: ['10.0.0.3'], container: 'w' }] }
  await second.restore({ sandboxes: [scene.sandbox], names, forwards: {} })
  assert.equal(scene.pid(), pid)
  assert.deepEqual((await client.ask({ name: 'web', type: 'A' })).records, ['10.0.0.3'])
  await second.stop()
  assert.equal(scene.pid(), undefined)
})

test('what a new daemon told it before its table is not all that it works by', async () => {
  await using scene = await openScene('early')
  await using first = scene.switchboard()
  await first.setSandbox(scene.sandbox)
  const web = { name: 'web', addresses: ['10.0.0.2'], container: 'w' }
  await first.setNames('net-id', [web])
  await first[Symbol.asyncDispose]()
  await using second = scene.switchboard()
  await second.setSandbox({ ...scene.sandbox, networks: [] })
  using client = createResolverClient(scene.path)
  await second.restore({ sandboxes: [scene.sandbox], names: { 'net-id': [web] }, forwards: {} })
  assert.deepEqual((await client.ask({ name: 'web', type: 'A' })).records, ['10.0.0.2'])
  await second.stop()
})

test('a killed process is started again with all that it knew', async () => {
  await using scene = await openScene('killed')
  await using switchboard = scene.switchboard()
  await switchboard.setNames('net-id', [{ name: 'web', addresses: ['10.0.0.2'], container: 'w' }])
  await switchboard.setSandbox(scene.sandbox)
  using client = createResolverClient(scene.path)
  for (const _ of [1, 2]) {
    process.kill(scene.pid() ?? -1, 'SIGKILL')
    await until('it answers again', async () => (await answered(client, 'web')) === '10.0.0.2', 30)
  }
  await switchboard.stop()
})

test('a process that the table of a new daemon does not need ends; one without a daemon and without work too', async () => {
  await using scene = await openScene('unneeded')
  await using first = scene.switchboard()
  await first.setSandbox(scene.sandbox)
  await first[Symbol.asyncDispose]()
  assert.notEqual(scene.pid(), undefined)
  await using second = scene.switchboard()
  await second.restore({ sandboxes: [], names: {}, forwards: {} })
  assert.equal(scene.pid(), undefined)
  await using third = scene.switchboard()
  await third.setSandbox(scene.sandbox)
  await third.dropSandbox(scene.sandbox.container)
  await third[Symbol.asyncDispose]()
  await until('it has gone', () => scene.pid() === undefined, 30)
})

test('an answer that is cut off is whole over TCP, many questions share a connection', async () => {
  await using scene = await openScene('stream')
  await using switchboard = scene.switchboard()
  const addresses = Array.from({ length: 100 }, (_, index) => `10.0.1.${index}`)
  await switchboard.setNames(
    'net-id',
    addresses.map((address) => ({ name: 'many', addresses: [address], container: address })),
  )
  await switchboard.setSandbox(scene.sandbox)
  using client = createResolverClient(scene.path)
  const short = decode((await client.raw(encode(1, { name: 'many', type: 'A' }), 5000)) ?? Buffer.alloc(12))
  assert.ok(short.truncated && short.bytes.length <= 512)
  const long = decode((await client.raw(encode(2, { name: 'many', type: 'A', size: 4096 }), 5000)) ?? Buffer.alloc(12))
  assert.deepEqual([long.truncated, long.records.length], [false, 100])
  assert.deepEqual((await client.ask({ name: 'many', type: 'A' })).records.toSorted(), addresses.toSorted())
  const answers = await client.askByStream([1, 2, 3].map(() => ({ name: 'many', type: 'A' }) as const))
  assert.deepEqual(
    answers.map(({ records }) => records.length),
    [100, 100, 100],
  )
  await switchboard.stop()
})

test('what the table does not know is asked of the servers of the container: past dead ones, over UDP and TCP', async () => {
  await using scene = await openScene('upstream')
  await using upstream = await openUpstream(scene.path)
  await using switchboard = scene.switchboard()
  await switchboard.setSandbox({ ...scene.sandbox, servers: ['203.0.113.1', '127.0.0.2', '127.0.0.1'] })
  using client = createResolverClient(scene.path)
  assert.deepEqual((await client.ask({ name: 'elsewhere.example', type: 'A' })).records, ['192.0.2.1'])
  assert.deepEqual((await client.ask({ name: 'long.example', type: 'A' })).records, ['192.0.2.2'])
  assert.equal((await client.ask({ name: 'none.example', type: 'AAAA' })).code, 3)
  assert.deepEqual(upstream.asked, [
    'udp elsewhere.example',
    'udp long.example',
    'tcp long.example',
    'udp none.example',
  ])
  await switchboard.setSandbox({ ...scene.sandbox, servers: ['127.0.0.1'], networks: scene.internal })
  assert.equal((await client.ask({ name: 'elsewhere.example', type: 'A' })).code, 2)
  assert.equal(upstream.asked.length, 4)
  await switchboard.stop()
})

test('a container has port 53 for itself', async () => {
  await using scene = await openScene('own')
  await using switchboard = scene.switchboard()
  await switchboard.setNames('net-id', [{ name: 'web', addresses: ['10.0.0.2'], container: 'w' }])
  await switchboard.setSandbox(scene.sandbox)
  await using own = await openUpstream(scene.path, '0.0.0.0')
  using client = createResolverClient(scene.path)
  assert.equal(await answered(client, 'web'), '10.0.0.2')
  using other = createResolverClient(scene.path, '127.0.0.5')
  assert.equal(await answered(other, 'elsewhere.example'), '192.0.2.1')
  assert.deepEqual(own.asked, ['udp elsewhere.example'])
  await switchboard.stop()
})

test('no bytes end it', async () => {
  await using scene = await openScene('noise')
  await using switchboard = scene.switchboard()
  await switchboard.setNames('net-id', [{ name: 'web', addresses: ['10.0.0.2'], container: 'w' }])
  await switchboard.setSandbox(scene.sandbox)
  using client = createResolverClient(scene.path)
  const pid = scene.pid()
  const question = encode(3, { name: 'web', type: 'A', size: 1232 })
  for (let size = 0; size <= question.length; size += 1) void client.raw(question.subarray(0, size), 1)
  for (let count = 0; count < 300; count += 1) void client.raw(randomBytes(count), 1)
  assert.deepEqual((await client.ask({ name: 'web', type: 'A' })).records, ['10.0.0.2'])
  assert.equal(scene.pid(), pid)
  await switchboard.stop()
})

interface Scene extends AsyncDisposable {
  readonly path: string
  readonly sandbox: SwitchboardSandbox
  readonly internal: SwitchboardSandbox['networks']
  switchboard(): Switchboard
  /** Of the process. */
  pid(): number | undefined
}

/** A network namespace with its loopback up, and an exec root. */
async function openScene(name: string): Promise<Scene> {
  const execRoot = folder.join(name)
  const path = folder.join(`${name}.net`)
  mkdirSync(execRoot)
  createNetworkNamespace(path)
  await runProcess('nsenter', [`--net=${path}`, 'ip', 'link', 'set', 'lo', 'up'])
  const network = { id: 'net-id', name: 'net', internal: false, links: [] }
  return {
    path,
    sandbox: { container: 'c', path, networks: [network], servers: [], options: [] },
    internal: [{ ...network, internal: true }],
    switchboard: () => createSwitchboard({ execRoot, entry: ENTRY, log: silentLog() }),
    pid: () => processWith(`${execRoot}/switchboard.sock`),
    async [Symbol.asyncDispose]() {
      removeNetworkNamespace(path)
    },
  }
}

function processWith(word: string): number | undefined {
  const found = readdirSync('/proc').find((name) => {
    try {
      return Number(name) !== process.pid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word)
    } catch {
      return false
    }
  })
  return found === undefined ? undefined : Number(found)
}

async function answered(client: ReturnType<typeof createResolverClient>, name: string): Promise<string | undefined> {
  return await client.ask({ name, type: 'A' }, 500).then(
    ({ records }) => records[0],
    () => undefined,
  )
}

/** A name server in the namespace: it knows two names, one of them too long for a datagram. */
async function openUpstream(
  path: string,
  address = '127.0.0.1',
): Promise<AsyncDisposable & { readonly asked: readonly string[] }> {
  const asked: string[] = []
  const reply = (way: string, message: Buffer): Buffer => {
    const name = message.toString('latin1', 13, message.indexOf(0, 12)).replaceAll(/\P{L}/gu, '.')
    asked.push(`${way} ${name}`)
    const cut = way === 'udp' && name.startsWith('long')
    const known = !name.startsWith('none')
    const head = Buffer.from(message.subarray(0, 12))
    head.writeUInt16BE(0x8180 | (cut ? 0x0200 : 0) | (known ? 0 : 3), 2)
    head.writeUInt32BE(known && !cut ? 0x00010001 : 0x00010000, 4)
    head.writeUInt32BE(0, 8)
    const end = message.indexOf(0, 12) + 5
    const record = Buffer.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, name.startsWith('long') ? 2 : 1)
    return Buffer.concat([head, message.subarray(12, end), ...(known && !cut ? [record] : [])])
  }
  const [udp, tcp] = withNetworkNamespace(path, () => [
    bindInetSocket('udp', { address, port: 53 }),
    bindInetSocket('tcp', { address, port: 53 }),
  ])
  const datagrams = createSocket('udp4')
  datagrams.on('message', (message, from) => datagrams.send(reply('udp', message), from.port, from.address))
  datagrams.bind({ fd: udp ?? -1 })
  const streams = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const answer = reply('tcp', chunk.subarray(2))
      socket.write(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 0xff), answer]))
    })
  })
  streams.listen({ fd: tcp ?? -1 })
  return {
    asked,
    async [Symbol.asyncDispose]() {
      datagrams.close()
      streams.close()
    },
  }
}
