import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { isSoak, testEnvironment } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import Engine from 'dockerode'
import assert from 'node:assert/strict'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker
/** `127.0.0.1:PORT` of the same daemon. */
let address: string

before(async () => {
  daemon = await startDaemon({ folder: folder.path, flags: ['-H', 'tcp://127.0.0.1:0'] })
  docker = dockerClient(daemon.host)
  address = /tcp:\/\/(127\.0\.0\.1:\d+)/.exec(daemon.log())?.[1] ?? ''
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  await daemon.stop({ all: true })
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

interface Attached {
  readonly socket: WebSocket
  readonly heard: () => string
  readonly closed: Promise<unknown>
}

async function attach(id: string, query: string): Promise<Attached> {
  const socket = new WebSocket(`ws://${address}/v1.51/containers/${id}/attach/ws?${query}`)
  socket.binaryType = 'arraybuffer'
  const parts: Buffer[] = []
  socket.addEventListener('message', ({ data }) => {
    parts.push(data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(`text:${data}`))
  })
  const closed = once(socket, 'close')
  await once(socket, 'open')
  return { socket, heard: () => Buffer.concat(parts).toString(), closed }
}

test('attach over a WebSocket: stdin, stdout and stderr, as asked for', async () => {
  const script = 'cat; echo problem >&2; echo done'
  const id = await docker.ok('create', '-i', 'busybox', 'sh', '-c', script)
  const all = await attach(id, 'stream=1&stdin=1&stdout=1&stderr=1')
  const errors = await attach(id, 'stream=1&stderr=1')
  await docker.ok('start', id)
  const bytes = 'x'.repeat(300_000)
  all.socket.send(`${bytes}\n`)
  errors.socket.send('not wanted\n')
  await until('the input comes back', () => all.heard().length === bytes.length + 1)
  const other = await docker.run(['attach', id], { input: 'from another\n' })
  await Promise.all([all.closed, errors.closed])
  assert.equal(other.stdout, 'from another\ndone\n')
  assert.equal(all.heard().replaceAll('problem\n', ''), `${bytes}\nfrom another\ndone\n`)
  assert.equal(errors.heard(), 'problem\n')
  const past = await attach(id, 'logs=1&stdout=1')
  await past.closed
  assert.equal(past.heard(), `${bytes}\nfrom another\ndone\n`)
  await docker.ok('rm', id)
})

test('attach over a WebSocket: a terminal, its detach keys, and who is there after that', async () => {
  const id = await docker.ok('run', '-dit', 'busybox', 'sh', '-c', 'stty -echo; echo ready; cat')
  await until('the program is ready', async () => (await docker.ok('logs', id)).includes('ready'))
  const first = await attach(id, 'stream=1&stdin=1&stdout=1&logs=1')
  const second = await attach(id, 'stream=1&stdout=1')
  first.socket.send('typed\n')
  await until('both have it', () => [first, second].every(({ heard }) => heard().endsWith('typed\r\n')))
  assert.match(first.heard(), /^ready\r\n/)
  first.socket.send(Buffer.from([16, 17]))
  await first.closed
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', id), 'true')
  await docker.ok('kill', id)
  await second.closed
  await docker.ok('rm', id)
})

test("attach over a WebSocket is refused in Docker's words", async () => {
  const id = await docker.ok('run', '-d', 'busybox', 'sleep', '1000')
  assert.deepEqual(await daemon.call('GET', `/v1.51/containers/${id}/attach/ws?stream=1`), {
    status: 400,
    text: 'not websocket protocol',
  })
  assert.equal((await daemon.call('GET', '/v1.51/containers/none/attach/ws?stream=1')).status, 404)
  await docker.ok('pause', id)
  const paused = await daemon.call('GET', `/v1.51/containers/${id}/attach/ws?stream=1`)
  assert.deepEqual([paused.status, /is paused, unpause the container before attach/.test(paused.text)], [409, true])
  await docker.ok('unpause', id)
  await docker.ok('rm', '-f', id)
})

test('resize: of what does not run a conflict, of what has no terminal nothing', async () => {
  const id = await docker.ok('create', 'busybox', 'sleep', '1000')
  const resize = (): Promise<{ readonly status: number; readonly text: string }> =>
    daemon.call('POST', `/v1.51/containers/${id}/resize?h=10&w=20`)
  assert.deepEqual(await resize(), { status: 409, text: `{"message":"container ${id} is not running"}\n` })
  await docker.ok('start', id)
  assert.equal((await resize()).status, 200)
  await docker.ok('rm', '-f', id)
})

/** A client that goes on beside the test. */
function begin(...words: readonly string[]): ChildProcessWithoutNullStreams {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', DOCKER_CONFIG: folder.path }
  return spawn(testEnvironment().docker, ['-H', daemon.host, ...words], { env })
}

const attached = (id: string, count: number): Promise<unknown> =>
  until('the clients are attached', async () => {
    const events = await docker.ok(
      'events',
      '--since',
      '1h',
      '--until',
      '0s',
      '--filter',
      `container=${id}`,
      '--filter',
      'event=attach',
    )
    return events.split('\n').filter(Boolean).length >= count
  })

const MEGABYTES = 40

test('a reader that stands still holds up neither the container nor who reads beside it, and loses nothing', async () => {
  const script = `read go; dd if=/dev/zero bs=1M count=${MEGABYTES} 2>/dev/null; echo problem >&2`
  const id = await docker.ok('run', '-di', '--log-opt', 'max-size=1m', 'busybox', 'sh', '-c', script)
  const [stalled, follower, reader] = [begin('attach', '--no-stdin', id), begin('logs', '-f', id), begin('attach', id)]
  for (const { stdout } of [stalled, follower]) stdout.pause()
  await attached(id, 2)
  const heard = buffer(reader.stdout)
  reader.stdin.write('go\n')
  assert.equal((await heard).length, MEGABYTES << 20)
  assert.equal(await docker.ok('wait', id), '0')
  for (const late of [stalled, follower])
    assert.equal((await buffer(late.stdout)).equals(Buffer.alloc(MEGABYTES << 20)), true)
  await docker.ok('rm', id)
})

/** Bytes of an exec's output: none, few, and up to a megabyte. */
const SIZES = [0, 1, 10, 1000, 4095, 4096, 65_536, 65_537, 200_000, 1 << 20]
const EXECS = isSoak() ? 10_000 : 60
const AT_ONCE = 6

test(`${EXECS} execs of 0 B to 1 MB, some at a time, lose nothing in either direction`, async () => {
  const id = await docker.ok('run', '-d', 'busybox', 'sleep', '100000')
  const engine = new Engine({ socketPath: daemon.socket })
  const container = engine.getContainer(id)
  let next = 0
  const work = async (): Promise<void> => {
    for (let number = next++; number < EXECS; number = next++) {
      const size = SIZES[number % SIZES.length] ?? 0
      const input = Buffer.alloc(size, `${number} `)
      const exec = await container.exec({
        Cmd: ['sh', '-c', `cat; exit ${number % 100}`],
        AttachStdin: true,
        AttachStdout: true,
      })
      const stream = await exec.start({ hijack: true, stdin: true })
      const heard = buffer(stream)
      stream.end(input)
      assert.equal(digest(payload(await heard)), digest(input), `exec ${number} of ${size} bytes`)
      await until('the exec has ended', async () => (await exec.inspect()).Running === false, 60)
      assert.equal((await exec.inspect()).ExitCode, number % 100)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  await docker.ok('rm', '-f', id)
})

function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`
}

/** What the frames of a stream hold. */
function payload(frames: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < frames.length;) {
    const length = frames.readUInt32BE(at + 4)
    parts.push(frames.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  return Buffer.concat(parts)
}
