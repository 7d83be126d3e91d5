import { collect } from '#base'
import type { ContainerService, CreateRequest, Engine } from '#engine'
import { createRequest, importBusybox, testEngine } from '#test/engine'
import { filesBelow, watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import type { Temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

ownMountNamespace()

const log: string[] = []
let folder: Temporary
let leftovers: ReturnType<typeof watchLeftovers>
let engine: Engine
let containers: ContainerService

before(async () => {
  folder = temporary()
  leftovers = watchLeftovers(folder.path)
  engine = await testEngine(folder, log)
  containers = engine.containers
  await importBusybox(engine, folder)
})

after(async () => {
  for (const { id } of await containers.list()) await containers.remove(id, { force: true, volumes: true })
  await engine[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
  await leftovers.assertNothingLeft()
})

interface Ran {
  readonly id: string
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

/** As `docker run`: create, attach, wait, start, and read to the end. */
async function run(script: string, more: Partial<CreateRequest> = {}, input?: string): Promise<Ran> {
  const stdin = input === undefined ? {} : { openStdin: true, stdinOnce: true }
  const { id } = await containers.create(createRequest(['sh', '-c', script], { ...stdin, ...more }))
  await using streams = await containers.attach(id, { logs: false, stream: true })
  const texts = { stdout: '', stderr: '' }
  const reading = (async () => {
    for await (const { stream, bytes } of streams.output) texts[stream] += Buffer.from(bytes).toString()
  })()
  const waiting = containers.wait(id, more.autoRemove ? 'removed' : 'next-exit')
  await containers.start(id)
  if (input !== undefined) {
    await streams.write(Buffer.from(input))
    await streams.closeInput()
  }
  await reading
  return { id, ...texts, code: (await waiting).exitCode }
}

async function logsOf(id: string, more: { tail?: number; since?: bigint } = {}): Promise<string> {
  let text = ''
  for await (const line of await containers.logs(id, { follow: false, stdout: true, stderr: true, ...more }))
    text += `${line.stream === 'stderr' ? '!' : ''}${Buffer.from(line.bytes).toString()}`
  return text
}

test("run: streams apart, exit code, logs, and only the container's own changes in diff", async () => {
  const { id, ...rest } = await run('echo out; echo err >&2; echo x > /tmp/x; touch /bin/new; rm /data/seed; exit 3')
  assert.deepEqual(rest, { stdout: 'out\n', stderr: 'err\n', code: 3 })
  assert.deepEqual((await logsOf(id)).split('\n').toSorted(), ['', '!err', 'out'])
  const record = await containers.get(id.slice(0, 10))
  assert.deepEqual([record.state, record.exitCode, record.pid], ['exited', 3, 0])
  assert.match(record.name, /^[a-z]+_[a-z]+$/)
  const changes = await containers.changes(id)
  assert.deepEqual(
    changes.map(({ kind, path }) => `${kind} ${path}`),
    ['changed /bin', 'added /bin/new', 'changed /data', 'removed /data/seed', 'changed /tmp', 'added /tmp/x'],
  )
  await containers.remove(id, { force: false, volumes: true })
  await assert.rejects(containers.get(id), { kind: 'not-found', message: `No such container: ${id}` })
})

test('what is inside: names, environment, user, working folder made, host files', async () => {
  const script = 'id; env; pwd; cat /etc/hostname /etc/hosts; stat -c %F /etc/resolv.conf'
  const ran = await run(script, {
    user: 'user',
    workingDir: '/home/user/x',
    env: ['A=b', 'PATH=/bin'],
    hostname: 'box',
    autoRemove: true,
  })
  assert.equal(ran.code, 0, ran.stderr)
  assert.match(ran.stdout, /^uid=1000\(user\) gid=1000\(user\) groups=10\(wheel\),1000\(user\)\n/)
  assert.match(ran.stdout, /^A=b$/m)
  assert.match(ran.stdout, /^HOSTNAME=box$/m)
  assert.match(ran.stdout, /^\/home\/user\/x\nbox\n127.0.0.1\tlocalhost\n/m)
  await assert.rejects(containers.get(ran.id), { kind: 'not-found' })
})

test('stdin and its end reach the container', async () => {
  const { stdout, code } = await run('cat; echo end', { autoRemove: true }, 'hello\n')
  assert.deepEqual({ stdout, code }, { stdout: 'hello\nend\n', code: 0 })
})

test('commands, users and folders that are not there end start in the words of Docker', async () => {
  const failing = async (
    more: Partial<CreateRequest>,
    command = ['true'],
  ): Promise<Error & { details?: { exitCode?: number } }> => {
    const { id } = await containers.create(createRequest(command, more))
    const error = await containers.start(id).then(
      () => assert.fail('it started'),
      (failure: Error) => failure,
    )
    const record = await containers.get(id)
    assert.equal(record.state, 'created')
    assert.equal(record.error, error.message)
    await containers.remove(id, { force: false, volumes: true })
    return error
  }
  const absent = await failing({}, ['nope'])
  assert.match(absent.message, /exec: "nope": executable file not found in \$PATH$/)
  assert.equal(absent.details?.exitCode, 127)
  assert.equal(
    (await failing({ user: 'nobody' })).message,
    'unable to find user nobody: no matching entries in passwd file',
  )
  assert.equal((await failing({ workingDir: '/etc/passwd' })).message, 'Cannot mkdir: /etc/passwd is not a directory')
  assert.equal((await failing({ workingDir: '/etc/passwd/x' })).message, 'Cannot mkdir: /etc/passwd is not a directory')
})

test('names: taken, malformed, renamed, found by prefix', async () => {
  const { id } = await containers.create(createRequest(['true'], { name: 'first' }))
  await assert.rejects(containers.create(createRequest(['true'], { name: '/first' })), {
    kind: 'conflict',
    message: `Conflict. The container name "/first" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
  })
  await assert.rejects(containers.create(createRequest(['true'], { name: 'a b' })), { kind: 'invalid' })
  await containers.rename('first', 'second')
  assert.equal((await containers.get('/second')).id, id)
  assert.equal((await containers.get(id.slice(0, 8))).id, id)
  await assert.rejects(containers.get('first'), { kind: 'not-found' })
  await containers.remove('second', { force: false, volumes: true })
})

test('the writable layer lasts over stop and start; stop, kill, pause and their conflicts', async () => {
  const { id } = await containers.create(
    createRequest(['sh', '-c', 'trap "exit 9" TERM; echo $$ >> /tmp/runs; while true; do sleep 0.02; done']),
  )
  await containers.start(id)
  await assert.rejects(containers.start(id), { kind: 'not-modified' })
  await assert.rejects(containers.remove(id, { force: false, volumes: false }), {
    message: /container is running: stop the container before removing or force remove$/,
  })
  await until('the trap', async () => (await containers.changes(id)).some(({ path }) => path === '/tmp/runs'))
  await containers.stop(id, {})
  assert.equal((await containers.get(id)).exitCode, 9)
  await assert.rejects(containers.stop(id, {}), { kind: 'not-modified' })
  await assert.rejects(containers.kill(id, 'KILL'), {
    message: `cannot kill container: ${id}: container ${id} is not running`,
  })
  await containers.start(id)
  await containers.pause(id)
  assert.equal((await containers.get(id)).state, 'paused')
  await assert.rejects(containers.execCreate(id, execRequest(['true'])), {
    message: `Container ${id} is paused, unpause the container before exec`,
  })
  await containers.unpause(id)
  await assert.rejects(containers.unpause(id), { message: `Container ${id} is not paused` })
  await containers.pause(id)
  await containers.kill(id, 'SIGKILL')
  assert.equal((await containers.get(id)).exitCode, 137)
  const { id: reader } = await containers.create(createRequest(['true']))
  await containers.remove(reader, { force: false, volumes: false })
  assert.equal((await containers.changes(id)).find(({ path }) => path === '/tmp/runs')?.kind, 'added')
  await containers.restart(id, {})
  assert.equal((await containers.get(id)).state, 'running')
  await containers.remove(id, { force: true, volumes: false })
})

function execRequest(command: readonly string[], more: object = {}): Parameters<ContainerService['execCreate']>[1] {
  return { command, env: [], privileged: false, tty: false, stdin: false, stdout: true, stderr: true, ...more }
}

test('exec: code, environment, user, streams; top lists the processes', async () => {
  const { id } = await containers.create(createRequest(['sleep', '100'], { env: ['ONE=1'], workingDir: '/tmp' }))
  await containers.start(id)
  const exec = await containers.execCreate(
    id,
    execRequest(['sh', '-c', 'echo $ONE $TWO; pwd; id -u; exit 5'], { env: ['TWO=2'], user: 'user' }),
  )
  const process = await containers.execStart(exec, { detach: false, tty: false })
  assert.ok(process.streams)
  let text = ''
  for await (const { bytes } of process.streams.output) text += Buffer.from(bytes).toString()
  await process.streams[Symbol.asyncDispose]()
  await process.exited
  assert.equal(text, '1 2\n/tmp\n1000\n')
  const record = await containers.execGet(exec)
  assert.deepEqual([record.running, record.exitCode], [false, 5])
  const missing = await containers.execCreate(id, execRequest(['nope']))
  await assert.rejects(containers.execStart(missing, { detach: false, tty: false }), { details: { exitCode: 127 } })
  assert.equal((await containers.execGet(missing)).exitCode, 127)
  const { titles, processes } = await containers.top(id, [])
  assert.ok(titles.includes('PID'))
  assert.match(processes.map((row) => row.at(-1)).join(), /^sleep 100$/)
  const late = await containers.execCreate(id, execRequest(['true']))
  await containers.stop(id, { timeout: 0 })
  await assert.rejects(containers.execStart(late, { detach: false, tty: false }), { kind: 'conflict' })
  assert.equal((await containers.execGet(late)).exitCode, 126)
  await containers.remove(id, { force: true, volumes: false })
})

test('volumes are seeded and kept, anonymous ones go with the container; binds see the host, also what it mounted later', async () => {
  mkdirSync(folder.join('host/dir'), { recursive: true })
  writeFileSync(folder.join('host/file'), 'host\n')
  const mounts = [
    { kind: 'volume', source: 'kept', target: '/data', readonly: false },
    { kind: 'bind', source: folder.join('host/dir'), target: '/dir', readonly: false },
    { kind: 'bind', source: folder.join('host/file'), target: '/file', readonly: true },
    { kind: 'bind', source: folder.join('host/made'), target: '/made', readonly: false, createSource: true },
    { kind: 'tmpfs', target: '/memory', readonly: false, options: 'size=1m' },
  ] as const
  const script =
    'cat /data/seed /file; echo y > /data/y; echo z > /dir/z; echo no > /file || echo ro; mount | grep -c "/memory type tmpfs"; echo v > /anon/v'
  const ran = await run(script.replace('mount | grep -c "/memory type tmpfs"', 'echo m > /memory/m'), {
    mounts,
    volumes: ['/anon'],
  })
  assert.match(ran.stdout, /^from the image\nhost\nro\n/, ran.stderr)
  assert.equal(readFileSync(folder.join('host/dir/z'), 'utf8'), 'z\n')
  const record = await containers.get(ran.id)
  const anonymous = record.mounts.find(({ destination }) => destination === '/anon')?.name ?? ''
  assert.ok(await engine.volumes.find(anonymous))
  await assert.rejects(engine.volumes.remove('kept'), { kind: 'conflict' })
  await containers.remove(ran.id, { force: false, volumes: true })
  assert.equal(await engine.volumes.find(anonymous), undefined)
  const again = await run('cat /kept/y', {
    mounts: [{ kind: 'volume', source: 'kept', target: '/kept', readonly: false }],
    autoRemove: true,
  })
  assert.equal(again.stdout, 'y\n')
  await engine.volumes.remove('kept')
  await assert.rejects(
    containers.create(
      createRequest(['true'], { mounts: [{ kind: 'bind', source: '/nowhere/x', target: '/x', readonly: false }] }),
    ),
    {
      message: 'invalid mount config for type "bind": bind source path does not exist: /nowhere/x',
    },
  )
})

test('commit makes one layer of the changes and an image that runs; export has the whole root', async () => {
  const { id } = await run('echo kept > /tmp/kept; rm /data/seed', { env: ['COMMITTED=yes'] })
  const image = await containers.commit({
    container: id,
    name: 'made:1',
    pause: true,
    changes: ['CMD ["cat", "/tmp/kept"]'],
    comment: 'why',
    author: 'me',
  })
  const made = await engine.images.get('made:1')
  assert.equal(made.record.id, image)
  assert.equal(made.image.config.rootfs.diff_ids.length, 2)
  assert.equal(made.image.config.history.at(-1)?.comment, 'why')
  const { id: next } = await containers.create(createRequest([], { image: 'made:1' }))
  const waiting = containers.wait(next, 'next-exit')
  await containers.start(next)
  await waiting
  assert.equal(await logsOf(next), 'kept\n')
  assert.deepEqual(await containers.changes(next), [])
  const tar = await collect(await containers.export(next))
  const names = execFileSync('tar', ['-tf', '-'], { input: tar, encoding: 'utf8' }).split('\n')
  assert.ok(names.includes('tmp/kept') && names.includes('bin/busybox') && !names.includes('data/seed'))
  for (const each of [id, next]) await containers.remove(each, { force: false, volumes: true })
})

test('logs: tail, since, follow to the end', async () => {
  const { id } = await containers.create(
    createRequest(['sh', '-c', 'seq 1 5; printf "no end"; sleep 0.2; echo last >&2']),
  )
  await containers.start(id)
  let followed = ''
  for await (const line of await containers.logs(id, { follow: true, stdout: true, stderr: true }))
    followed += Buffer.from(line.bytes).toString()
  assert.equal(followed.replace('last\n', ''), '1\n2\n3\n4\n5\nno end')
  assert.match(followed, /last\n/)
  assert.match(await logsOf(id, { tail: 2 }), /^5\n|no end/)
  assert.equal(await logsOf(id, { tail: 0 }), '')
  assert.equal(await logsOf(id, { since: BigInt(Date.now() + 1000) * 1_000_000n }), '')
  await containers.remove(id, { force: false, volumes: true })
})

test('fifty containers of one image at a time, each with its own writable layer', async () => {
  const numbers = Array.from({ length: 50 }, (_, index) => index)
  const ran = await Promise.all(numbers.map((n) => run(`echo ${n} > /data/mine; cat /data/mine`, { autoRemove: true })))
  assert.deepEqual(
    ran.map(({ stdout }) => stdout),
    numbers.map((n) => `${n}\n`),
  )
})

test('an engine that is opened again finds what runs, what ended and what was half made', async () => {
  const running = await containers.create(
    createRequest(['sh', '-c', 'echo before; trap "exit 7" TERM; while true; do sleep 0.02; done']),
  )
  const ending = await containers.create(createRequest(['sh', '-c', 'sleep 0.3; echo late; exit 6']))
  const stopped = await run('echo x > /tmp/x')
  await containers.start(running.id)
  await containers.start(ending.id)
  await until('the trap', async () => (await logsOf(running.id)).includes('before'))
  await engine[Symbol.asyncDispose]()
  await until('the exit file', () => existsSync(folder.join('exec/exit', ending.id)))
  engine = await testEngine(folder, log)
  containers = engine.containers
  assert.equal((await containers.get(running.id)).state, 'running')
  const ended = await containers.get(ending.id)
  assert.deepEqual([ended.state, ended.exitCode], ['exited', 6])
  assert.equal(await logsOf(ending.id), 'late\n')
  assert.equal((await containers.get(stopped.id)).state, 'exited')
  assert.ok((await containers.changes(stopped.id)).some(({ path }) => path === '/tmp/x'))
  await containers.stop(running.id, {})
  assert.equal((await containers.get(running.id)).exitCode, 7)
  for (const { id } of [running, ending, stopped]) await containers.remove(id, { force: true, volumes: true })
  assert.deepEqual(filesBelow(folder.join('data/containers')), [])
  await until('the bundles are gone', () => filesBelow(folder.join('exec/c')).length === 0)
})

test('an engine opens though the monitor of a container that ended stands still, and wakes it', async () => {
  const { id } = await containers.create(createRequest(['sleep', '100']))
  await containers.start(id)
  const { pid } = await containers.get(id)
  const monitor = Number(readFileSync(folder.join('exec/c', id.slice(0, 12), 'monitor'), 'utf8'))
  await engine[Symbol.asyncDispose]()
  process.kill(monitor, 'SIGSTOP')
  process.kill(pid, 'SIGKILL')
  engine = await testEngine(folder, log)
  containers = engine.containers
  // It is woken, and tells how the container ended.
  await until('the end is recorded', async () => (await containers.get(id)).state === 'exited')
  assert.equal((await containers.get(id)).exitCode, 137)
  await containers.remove(id, { force: true, volumes: true })
})
