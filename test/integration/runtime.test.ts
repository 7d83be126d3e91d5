import { silentLog } from '#base'
import { attachMounts, capabilities, unmount } from '#kernel'
import { capabilitiesOf, makeMountPoints, openRuntime, withMountPoints, writeNameFiles } from '#runtime'
import type { OutputChunk, ProcessSpec, Runtime, RunRequest, StreamEnds } from '#runtime'
import { filesBelow, watchLeftovers } from '#test/leftovers'
import { copyBusybox } from '#test/images'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import type { Temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

ownMountNamespace()

const DEFAULTS = capabilitiesOf({ privileged: false, add: [], drop: [] }, capabilities())
const ROOT_USER = { uid: 0, gid: 0, additionalGids: [0] }

interface Place {
  readonly folder: Temporary
  readonly runtime: Runtime & Disposable
  readonly root: string
  readonly upper: string
  readonly log: string
  open(): Promise<Runtime & Disposable>
}

/** A runtime, and a busybox root over an overlay that has the places for the runtime's own mounts below it. */
async function place(t: TestContext): Promise<Place> {
  const folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  for (const name of ['lower/bin', 'lower/tmp', 'upper', 'work', 'root', 'points', 'exec', 'names'])
    mkdirSync(folder.join(name), { recursive: true })
  copyBusybox(folder.join('lower/bin/busybox'))
  for (const name of 'sh cat echo sleep id env ls true seq tty stty mount kill hostname'.split(' '))
    symlinkSync('busybox', folder.join('lower/bin', name))
  makeMountPoints(folder.join('points'))
  const overlay = [
    `lowerdir+=${folder.join('lower')}`,
    `upperdir=${folder.join('upper')}`,
    `workdir=${folder.join('work')}`,
  ]
  attachMounts(
    withMountPoints([{ type: 'overlay', source: 'overlay', options: overlay }], folder.join('points')),
    folder.join('root'),
  )
  const open = (): Promise<Runtime & Disposable> =>
    openRuntime({
      execRoot: folder.join('exec'),
      path: process.env['PATH'] ?? '',
      ownMountNamespace: true,
      log: silentLog(),
    })
  const runtime = await open()
  t.after(async () => {
    runtime[Symbol.dispose]()
    await unmount(folder.join('root'))
    folder[Symbol.dispose]()
    await leftovers.assertNothingLeft()
  })
  return { folder, runtime, open, root: folder.join('root'), upper: folder.join('upper'), log: folder.join('log') }
}

function processOf(script: string, more: Partial<ProcessSpec> = {}): ProcessSpec {
  const env = ['PATH=/bin', 'HOME=/root']
  return {
    args: ['/bin/sh', '-c', script],
    env,
    cwd: '/',
    user: ROOT_USER,
    terminal: false,
    capabilities: DEFAULTS,
    ...more,
  }
}

function requestOf(where: Place, script: string, more: Partial<RunRequest> = {}): RunRequest {
  const id = more.id ?? randomBytes(32).toString('hex')
  return {
    id,
    rootfs: where.root,
    process: processOf(script),
    hostname: id.slice(0, 12),
    mounts: writeNameFiles(where.folder.join('names'), { hostname: id.slice(0, 12), addresses: [], hostNetwork: true }),
    network: { kind: 'host' },
    privileged: false,
    readonlyRoot: false,
    seccomp: 'default',
    cgroupPath: where.runtime.cgroupOf(id),
    ...more,
  }
}

async function textOf(output: AsyncIterable<OutputChunk>): Promise<{ stdout: string; stderr: string }> {
  const texts = { stdout: '', stderr: '' }
  for await (const { stream, bytes } of output) texts[stream] += Buffer.from(bytes).toString()
  return texts
}

async function run(
  where: Place,
  request: RunRequest,
  use?: (streams: StreamEnds) => Promise<void>,
): Promise<{ stdout: string; stderr: string; code: number }> {
  const openStdin = use !== undefined
  await where.runtime.create(request, { logPath: where.log, openStdin, stdinOnce: true })
  await using streams = await where.runtime.attach(request.id)
  const texts = textOf(streams.output)
  await where.runtime.start(request.id)
  await use?.(streams)
  const { code } = await where.runtime.wait(request.id)
  const result = { ...(await texts), code }
  await where.runtime.delete(request.id)
  return result
}

test('a container runs with its streams apart, its exit code, and nothing of the runtime in its upper folder', async (t) => {
  const where = await place(t)
  assert.equal(where.runtime.program.name, 'crun')
  const result = await run(where, requestOf(where, 'echo out; echo err >&2; echo x > /tmp/x; hostname; exit 7'))
  assert.deepEqual({ ...result, stdout: result.stdout.split('\n')[0] }, { stdout: 'out', stderr: 'err\n', code: 7 })
  assert.deepEqual(filesBelow(where.upper), ['tmp', 'tmp/x'])
  assert.match(readFileSync(where.log, 'utf8'), /^\S+ stdout F out$/m)
})

test('what is inside: capabilities, seccomp, masked and read-only paths, devices', async (t) => {
  const where = await place(t)
  const script = [
    'cat /proc/self/status',
    'ls /proc/acpi | head -1',
    'echo 1 > /proc/sys/kernel/domainname || echo ro-proc',
    'cat /proc/timer_list',
    'mount -t tmpfs tmpfs /tmp || echo no-mount',
    'ls /dev',
  ].join('\n')
  const { stdout } = await run(where, requestOf(where, script))
  assert.match(stdout, /CapEff:\s+00000000a80425fb/)
  assert.match(stdout, /CapInh:\s+0000000000000000/)
  assert.match(stdout, /Seccomp:\s+2/)
  assert.match(stdout, /ro-proc/)
  assert.match(stdout, /no-mount/)
  assert.deepEqual(
    stdout
      .slice(stdout.indexOf('no-mount'))
      .trim()
      .split('\n')
      .slice(1)
      .filter((name) => name !== 'core'),
    [
      'fd',
      'full',
      'mqueue',
      'null',
      'ptmx',
      'pts',
      'random',
      'shm',
      'stderr',
      'stdin',
      'stdout',
      'tty',
      'urandom',
      'zero',
    ],
  )
})

test('another user gets no capabilities, and a read-only root refuses writes', async (t) => {
  const where = await place(t)
  const user = { uid: 1000, gid: 1000, additionalGids: [1000] }
  const script = 'id -u; cat /proc/self/status; echo x > /y || echo read-only'
  const { stdout } = await run(
    where,
    requestOf(where, '', { readonlyRoot: true, process: processOf(script, { user }) }),
  )
  assert.match(stdout, /^1000\n/)
  assert.match(stdout, /CapEff:\s+0000000000000000/)
  assert.match(stdout, /read-only/)
})

test('privileged sees the host devices and every capability the daemon has', async (t) => {
  const where = await place(t)
  const all = capabilitiesOf({ privileged: true, add: [], drop: [] }, capabilities())
  const process = processOf('cat /proc/self/status; ls /dev; mount -t tmpfs tmpfs /tmp && echo mounted', {
    capabilities: all,
  })
  const { stdout } = await run(where, requestOf(where, '', { privileged: true, seccomp: 'unconfined', process }))
  assert.match(stdout, /Seccomp:\s+0/)
  assert.match(stdout, /loop-control|kmsg/)
  assert.match(stdout, /mounted/)
})

test('stdin reaches the container, and its end too; 4 MiB come back whole', async (t) => {
  const where = await place(t)
  const bytes = Buffer.from(randomBytes(2 << 20).toString('hex'))
  const { stdout, code } = await run(where, requestOf(where, 'cat; echo end'), async (streams) => {
    await streams.write(bytes)
    await streams.closeInput()
  })
  assert.equal(code, 0)
  assert.equal(stdout.length, bytes.length + 4)
  assert.ok(stdout === `${bytes.toString()}end\n`)
})

test('a terminal: size, input, and both streams in one', async (t) => {
  const where = await place(t)
  const process = processOf('read line; stty size; echo got $line; tty', { terminal: true })
  const { stdout, code } = await run(where, requestOf(where, '', { process }), async (streams) => {
    await streams.resize(40, 120)
    await streams.write(Buffer.from('hello\n'))
  })
  assert.equal(code, 0)
  assert.match(stdout, /40 120\r\ngot hello\r\n\/dev\/(console|pts\/0)\r\n/)
})

test('commands that cannot be started say so in the words of Docker, with the exit code of a shell', async (t) => {
  const where = await place(t)
  const cases = [
    ['nope', 127, /exec: "nope": executable file not found in \$PATH$/],
    ['/nope', 127, /exec: "\/nope": stat \/nope: no such file or directory$/],
    ['/tmp', 126, /exec: "\/tmp": is a directory: permission denied$/],
    ['/etc/hosts', 126, /exec: "\/etc\/hosts": permission denied$/],
  ] as const
  for (const [command, exitCode, text] of cases) {
    const request = requestOf(where, '', { process: processOf('', { args: [command] }) })
    const failure = where.runtime.create(request, { logPath: where.log, openStdin: false, stdinOnce: false })
    await assert.rejects(failure, (error: Error & { details?: { exitCode?: number } }) => {
      assert.match(error.message, text)
      assert.match(
        error.message,
        /^failed to create task for container: failed to create shim task: OCI runtime create failed: /,
      )
      assert.equal(error.details?.exitCode, exitCode)
      return true
    })
    assert.equal((await where.runtime.state(request.id)).state, 'absent')
  }
})

test('states, signals, pause, and a runtime that is opened again while the container runs', async (t) => {
  const where = await place(t)
  const request = requestOf(where, 'trap "exit 42" TERM; echo ready; while true; do sleep 0.05; done')
  await where.runtime.create(request, { logPath: where.log, openStdin: false, stdinOnce: false })
  const { runtime } = where
  assert.equal((await runtime.state(request.id)).state, 'created')
  await runtime.start(request.id)
  assert.equal((await runtime.state(request.id)).state, 'running')
  await until('the first line', () => existsSync(where.log) && readFileSync(where.log, 'utf8').includes('ready'))
  await runtime.pause(request.id)
  assert.equal((await runtime.state(request.id)).state, 'paused')
  await runtime.resume(request.id)
  using again = await where.open()
  assert.equal((await again.state(request.id)).state, 'running')
  const waiting = again.wait(request.id)
  await again.signal(request.id, 15)
  assert.equal((await waiting).code, 42)
  assert.equal((await runtime.state(request.id)).state, 'stopped')
  await again.delete(request.id)
  assert.equal((await again.state(request.id)).state, 'absent')
  await assert.rejects(again.wait(request.id), { kind: 'not-found' })
})

test('a killed monitor does not leave a container without an end', async (t) => {
  const where = await place(t)
  const request = requestOf(where, 'sleep 100')
  await where.runtime.create(request, { logPath: where.log, openStdin: false, stdinOnce: false })
  await where.runtime.start(request.id)
  const bundle = where.folder.join('exec/c', request.id.slice(0, 12))
  const waiting = where.runtime.wait(request.id)
  process.kill(Number(readFileSync(`${bundle}/monitor`, 'utf8')), 'SIGKILL')
  assert.equal((await waiting).code, 255)
  await where.runtime.delete(request.id)
})

test('a monitor that stands still does not leave a container without an end', async (t) => {
  const where = await place(t)
  const request = requestOf(where, 'sleep 100')
  const { pid } = await where.runtime.create(request, { logPath: where.log, openStdin: false, stdinOnce: false })
  await where.runtime.start(request.id)
  const bundle = where.folder.join('exec/c', request.id.slice(0, 12))
  const waiting = where.runtime.wait(request.id)
  process.kill(Number(readFileSync(`${bundle}/monitor`, 'utf8')), 'SIGSTOP')
  process.kill(pid, 'SIGKILL')
  // it is woken at the end, and tells the code
  assert.equal((await waiting).code, 137)
  await where.runtime.delete(request.id)
})

test('exec: streams, stdin, codes, users, terminals, detached, and commands that are not there', async (t) => {
  const where = await place(t)
  const { runtime } = where
  const request = requestOf(where, 'sleep 100')
  await runtime.create(request, { logPath: where.log, openStdin: false, stdinOnce: false })
  await runtime.start(request.id)
  const attached = { stdin: false, detach: false, rootfs: request.rootfs }
  const exec = async (
    process: ProcessSpec,
    input?: string,
  ): Promise<{ stdout: string; stderr: string; code: number }> => {
    const started = await runtime.exec(request.id, process, { ...attached, stdin: input !== undefined })
    assert.ok(started.streams)
    await using streams = started.streams
    const texts = textOf(streams.output)
    if (input !== undefined) {
      await streams.write(Buffer.from(input))
      await streams.closeInput()
    }
    return { ...(await texts), code: (await started.exited).code }
  }
  assert.deepEqual(await exec(processOf('echo a; echo b >&2; exit 3')), { stdout: 'a\n', stderr: 'b\n', code: 3 })
  const big = 'x'.repeat(1 << 20)
  assert.deepEqual(await exec(processOf('cat'), big), { stdout: big, stderr: '', code: 0 })
  const inside = (await exec(processOf('cat /proc/self/status'))).stdout
  assert.match(inside, /CapEff:\s+00000000a80425fb/)
  assert.match(inside, /Seccomp:\s+2/)
  const user = { uid: 5, gid: 6, additionalGids: [6, 7] }
  assert.equal((await exec(processOf('id', { user, cwd: '/tmp' }))).stdout, 'uid=5 gid=6 groups=6,7\n')
  const size = { rows: 30, columns: 100 }
  const terminal = await exec(processOf('stty size; tty; exit 4', { terminal: true, size }))
  assert.equal(terminal.code, 4)
  assert.match(terminal.stdout, /\/dev\/pts\/0\r\n/)
  const hasty = runtime.exec(request.id, processOf('echo gone', { terminal: true }), attached)
  // As a crowded machine does: when this thread looks again, the command and its runtime have ended.
  for (let round = 0; round < 10; round += 1) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { streams: late } = await hasty
  assert.ok(late)
  assert.equal((await textOf(late.output)).stdout, 'gone\r\n')
  await late[Symbol.asyncDispose]()
  const detached = await runtime.exec(request.id, processOf('echo x > /tmp/detached'), { ...attached, detach: true })
  assert.equal(detached.streams, undefined)
  assert.equal((await detached.exited).code, 0)
  assert.ok(existsSync(`${where.upper}/tmp/detached`))
  await assert.rejects(exec(processOf('', { args: ['nope'] })), {
    details: { exitCode: 127 },
    message:
      /^OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in \$PATH$/,
  })
  await assert.rejects(exec(processOf('', { args: ['/tmp'] })), { details: { exitCode: 126 } })
  await assert.rejects(exec(processOf('true', { cwd: '/nowhere' })), {
    message: /chdir to cwd \("\/nowhere"\) set in config.json failed: no such file or directory$/,
  })
  const waiting = runtime.wait(request.id)
  await runtime.signal(request.id, 9)
  assert.equal((await waiting).code, 137)
  await runtime.delete(request.id)
})

test('a build step: output, code, no command, abort, and leftovers of a killed daemon', async (t) => {
  const where = await place(t)
  const { runtime } = where
  const chunks: OutputChunk[] = []
  const code = (
    await runtime.runStep(requestOf(where, 'echo a; echo b >&2; echo c > /tmp/c; exit 5'), (chunk) =>
      chunks.push(chunk),
    )
  ).code
  assert.equal(code, 5)
  assert.deepEqual(chunks.map(({ stream, bytes }) => `${stream} ${Buffer.from(bytes).toString()}`).toSorted(), [
    'stderr b\n',
    'stdout a\n',
  ])
  assert.deepEqual(filesBelow(where.upper), ['tmp', 'tmp/c'])
  const missing = requestOf(where, '', { process: processOf('', { args: ['/bin/bash'] }) })
  await assert.rejects(
    runtime.runStep(missing, () => assert.fail('no output')),
    { details: { exitCode: 127 } },
  )
  const abort = new AbortController()
  const aborted = runtime.runStep(requestOf(where, 'echo on; sleep 100'), () => abort.abort(), abort.signal)
  await assert.rejects(aborted, { kind: 'cancelled' })
  const left = runtime.runStep(requestOf(where, 'echo on; sleep 100'), () => undefined)
  await until('the step runs', () =>
    readdirSync(where.folder.join('exec/s')).some((name) => existsSync(where.folder.join('exec/s', name, 'pid'))),
  )
  using successor = await where.open()
  await successor.removeLeftoverSteps()
  assert.equal((await left).code, 137)
  assert.deepEqual(readdirSync(where.folder.join('exec/s')), [])
  attachMounts([{ type: 'tmpfs', source: 'tmpfs', options: [] }], where.root)
})

test('an init is process 1 and reaps, where it is asked for', async (t) => {
  const where = await place(t)
  const { stdout } = await run(where, requestOf(where, 'cat /proc/1/comm', { init: true }))
  assert.match(stdout, /init|tini|catatonit/)
})
