import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import type { TestRegistry } from '#test/registry'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import Docker from 'dockerode'
import type { Container, ContainerCreateOptions, HostConfig } from 'dockerode'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { PassThrough, Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let registry: TestRegistry
let docker: Docker

before(async () => {
  registry = await startRegistry(folder.path)
  daemon = await startDaemon({ folder: folder.path })
  docker = new Docker({ socketPath: daemon.socket })
  await finished(await docker.pull('busybox'))
})

after(async () => {
  await daemon.stop({ all: true })
  await registry[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

interface ProgressLine {
  readonly stream?: string
  readonly status?: string
  readonly error?: string
}

/** Follows a stream of progress to its end; throws where it tells of an error. */
function finished(progress: NodeJS.ReadableStream): Promise<readonly ProgressLine[]> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(progress, (error: Error | null, lines: ProgressLine[] | null) => {
      const said = lines?.find((line) => line.error !== undefined)?.error
      if (error || said !== undefined) reject(error ?? new Error(said))
      else resolve(lines ?? [])
    })
  })
}

function create(command: readonly string[], options: ContainerCreateOptions = {}): Promise<Container> {
  return docker.createContainer({ Image: 'busybox', Cmd: [...command], ...options })
}

interface Said {
  readonly stdout: string
  readonly stderr: string
}

/** Takes a stream of frames apart, up to its end. */
async function said(stream: NodeJS.ReadableStream): Promise<Said> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  docker.modem.demuxStream(stream, stdout, stderr)
  stream.once('end', () => {
    stdout.end()
    stderr.end()
  })
  const [out, err] = await Promise.all([text(stdout), text(stderr)])
  return { stdout: out, stderr: err }
}

test('createContainer, attach with stdin, start, wait, inspect and remove', async () => {
  const container = await create(['sh', '-c', 'cat; echo done >&2; exit 3'], {
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  })
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
  const heard = said(stream)
  await container.start()
  const waiting = container.wait()
  stream.write('first\n')
  stream.end('last')
  assert.deepEqual(await heard, { stdout: 'first\nlast', stderr: 'done\n' })
  assert.deepEqual(await waiting, { StatusCode: 3 })
  const { State, Config } = await container.inspect()
  assert.deepEqual([State.Status, State.ExitCode, Config.OpenStdin], ['exited', 3, true])
  await container.remove()
  await assert.rejects(container.inspect(), { statusCode: 404, reason: 'no such container' })
})

test('attach to a terminal, with its size', async () => {
  const container = await create(['sh'], { Tty: true, OpenStdin: true })
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
  await container.start()
  await container.resize({ h: 33, w: 77 })
  const heard = text(stream)
  stream.write('stty size; exit\n')
  assert.match(await heard, /33 77/)
  await container.remove()
})

/** dockerode's own `run`: it answers when the container has ended, which may be before all that it said has come. */
async function runAndHear(
  words: string[],
  expected: string,
  hostConfig: HostConfig = {},
): Promise<readonly [status: number, container: Container]> {
  const output = new PassThrough()
  let heard = ''
  output.on('data', (bytes: Buffer) => (heard += bytes.toString()))
  const options = { Tty: false, HostConfig: hostConfig }
  const [status, container] = await docker.run('busybox', words, [output, new PassThrough()], options)
  await until('the output is there', () => heard === expected)
  return [status.StatusCode, container]
}

test('two who are attached hear the same, run() too gives output and status', async () => {
  const container = await create(['sh', '-c', 'for i in 1 2 3; do echo $i; done'])
  const streams = [1, 2].map(() => container.attach({ stream: true, stdout: true, stderr: true }))
  const heard = (await Promise.all(streams)).map((stream) => said(stream))
  await container.start()
  for (const { stdout } of await Promise.all(heard)) assert.equal(stdout, '1\n2\n3\n')
  // the last output comes before the end, in Docker too
  await container.wait()
  await container.remove()

  const [status, ran] = await runAndHear(['echo', 'hello'], 'hello\n')
  assert.equal(status, 0)
  await ran.remove()
})

test('exec with stdin, with a terminal, and what inspect says after it', async () => {
  const container = await create(['sleep', '1000'])
  await container.start()
  const bytes = 'x'.repeat(1 << 20)
  const exec = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true, AttachStderr: true })
  const stream = await exec.start({ hijack: true, stdin: true })
  const heard = said(stream)
  stream.end(bytes)
  assert.equal((await heard).stdout === bytes, true)
  await until('the exec has its exit code', async () => (await exec.inspect()).Running === false)
  assert.equal((await exec.inspect()).ExitCode, 0)

  const shell = await container.exec({
    Cmd: ['sh', '-c', 'read line; echo "<$line> $X"; tty; exit 7'],
    AttachStdin: true,
    AttachStdout: true,
    Tty: true,
    Env: ['X=y'],
  })
  const terminal = await shell.start({ hijack: true, stdin: true, Tty: true })
  const shown = text(terminal)
  await shell.resize({ h: 20, w: 40 })
  terminal.write('typed\n')
  assert.match(await shown, /<typed> y\r\n\/dev\/pts\/\d+\r\n$/)
  await until('the exec has its exit code', async () => (await shell.inspect()).ExitCode === 7)
  await container.remove({ force: true })
})

test('logs: as one buffer, of one stream, with times, and followed', async () => {
  const script = 'echo one; echo two >&2; i=0; while [ ! -e /go ]; do sleep 0.05; done; echo three'
  const container = await create(['sh', '-c', script])
  await container.start()
  const followed = said(await container.logs({ follow: true, stdout: true, stderr: true }))
  await until('two lines are there', async () => {
    const past = await container.logs({ follow: false, stdout: true, stderr: true })
    return past.includes('two')
  })
  const stderr = await container.logs({ follow: false, stderr: true, timestamps: true })
  assert.match(stderr.subarray(8).toString(), /^\d{4}-\d\d-\d\dT[\d:.]+Z two\n$/)
  await (await container.exec({ Cmd: ['touch', '/go'] })).start({ Detach: true })
  assert.deepEqual(await followed, { stdout: 'one\nthree\n', stderr: 'two\n' })
  const tail = await container.logs({ follow: false, stdout: true, stderr: true, tail: 1 })
  assert.equal(tail.subarray(8).toString(), 'three\n')
  await container.remove()
})

test('getEvents tells of one container, as it happens and afterwards', async () => {
  const since = Math.floor(Date.now() / 1000)
  const container = await create(['true'], { Labels: { test: 'events' } })
  const stream = await docker.getEvents({ since, filters: { container: [container.id] } })
  const actions: string[] = []
  const ended = once(stream, 'gone')
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    actions.push(...lines.filter(Boolean).map((line): string => JSON.parse(line).Action))
    if (actions.includes('destroy')) stream.emit('gone')
  })
  await container.start()
  await container.wait()
  await container.remove()
  await ended
  if (stream instanceof Readable) stream.destroy()
  assert.deepEqual(actions, ['create', 'start', 'die', 'destroy'])
})

test('putArchive, getArchive, infoArchive, export and changes', async () => {
  const container = await create(['sleep', '1000'])
  const source = folder.join('archive')
  mkdirSync(`${source}/sub`, { recursive: true })
  writeFileSync(`${source}/sub/file`, 'content')
  await container.putArchive(execFileSync('tar', ['-C', source, '-c', 'sub']), { path: '/tmp' })
  const tar = await buffer(await container.getArchive({ path: '/tmp/sub' }))
  assert.equal(execFileSync('tar', ['-xO', 'sub/file'], { input: tar, encoding: 'utf8' }), 'content')
  const info: Readable = await container.infoArchive({ path: '/tmp/sub/file' })
  info.resume()
  const head: unknown = Object.getOwnPropertyDescriptor(info, 'headers')?.value ?? Reflect.get(info, 'headers')
  const stat = typeof head === 'object' && head !== null ? Reflect.get(head, 'x-docker-container-path-stat') : ''
  assert.match(Buffer.from(String(stat), 'base64').toString(), /"name":"file","size":7/)
  const changes: readonly { readonly Path: string; readonly Kind: number }[] = await container.changes()
  assert.deepEqual(
    changes.map(({ Path, Kind }) => `${Kind} ${Path}`),
    ['0 /tmp', '1 /tmp/sub', '1 /tmp/sub/file'],
  )
  const root = await buffer(await container.export())
  assert.match(execFileSync('tar', ['-t'], { input: root, encoding: 'utf8' }), /^tmp\/sub\/file$/m)
  await container.remove()
})

test('commit, images, tag, history, push to a registry, pull from it, remove', async () => {
  const container = await create(['sh', '-c', 'echo kept >/kept'])
  await container.start()
  await container.wait()
  const made: { readonly Id: string } = await container.commit({ repo: 'dockerode', tag: 'one', comment: 'by a test' })
  await container.remove()
  assert.equal((await docker.getImage('dockerode:one').inspect()).Id, made.Id)
  assert.equal((await docker.getImage('dockerode:one').history())[0]?.Comment, 'by a test')
  const repo = `${registry.host}/dockerode`
  await docker.getImage('dockerode:one').tag({ repo, tag: 'two' })
  await finished(
    await docker.getImage(`${repo}:two`).push({ tag: 'two', authconfig: { serveraddress: registry.host } }),
  )
  const listed = await docker.listImages({ filters: { reference: ['*dockerode*', `${repo}*`] } })
  assert.deepEqual(listed.flatMap(({ RepoTags }) => RepoTags ?? []).sort(), [`${repo}:two`, 'dockerode:one'])
  for (const name of [`${repo}:two`, 'dockerode:one']) await docker.getImage(name).remove()
  await finished(await docker.pull(`${repo}:two`))
  const [, again] = await docker.run(`${repo}:two`, ['cat', '/kept'], new PassThrough().resume())
  assert.equal((await again.inspect()).State.ExitCode, 0)
  await again.remove()
  await docker.getImage(`${repo}:two`).remove()
})

test('buildImage of files and of a tar, and what it says where a step fails', async () => {
  const context = folder.join('context')
  mkdirSync(context)
  writeFileSync(`${context}/Dockerfile`, 'FROM busybox\nCOPY file /file\nRUN cat /file >/copy\n')
  writeFileSync(`${context}/file`, 'from the context')
  const lines = await finished(await docker.buildImage({ context, src: ['Dockerfile', 'file'] }, { t: 'made:files' }))
  assert.match(lines.map((line) => line.stream ?? '').join(''), /Successfully tagged made:files/)
  const tar = Readable.from([execFileSync('tar', ['-C', context, '-c', '.'])])
  await finished(await docker.buildImage(tar, { t: 'made:tar' }))
  const [files, packed] = await Promise.all(['files', 'tar'].map((tag) => docker.getImage(`made:${tag}`).inspect()))
  assert.equal(files?.RootFS.Layers?.length, packed?.RootFS.Layers?.length)
  writeFileSync(`${context}/Dockerfile`, 'FROM busybox\nRUN exit 5\n')
  const broken = docker.buildImage({ context, src: ['Dockerfile'] }, {}).then(finished)
  await assert.rejects(broken, /The command '\/bin\/sh -c exit 5' returned a non-zero code: 5/)
  for (const tag of ['files', 'tar']) await docker.getImage(`made:${tag}`).remove()
})

test('volumes and networks: create, use, list, inspect, remove', async () => {
  await docker.createVolume({ Name: 'kept', Labels: { a: 'b' } })
  const write = await create(['sh', '-c', 'echo value >/v/file'], { HostConfig: { Binds: ['kept:/v'] } })
  await write.start()
  await write.wait()
  await write.remove()
  const [, read] = await runAndHear(['cat', '/v/file'], 'value\n', { Binds: ['kept:/v:ro'] })
  await assert.rejects(docker.getVolume('kept').remove(), { statusCode: 409 })
  await read.remove()
  assert.deepEqual(
    (await docker.listVolumes()).Volumes.map(({ Name }) => Name),
    ['kept'],
  )
  assert.deepEqual((await docker.getVolume('kept').inspect()).Labels, { a: 'b' })
  await docker.getVolume('kept').remove()
  assert.equal(
    (await docker.listNetworks()).some(({ Name }) => Name === 'bridge'),
    true,
  )
})

test('kill, stop, restart, pause, top, rename, listContainers with filters', async () => {
  const container = await create(['sleep', '1000'], { name: 'before' })
  await container.start()
  await container.rename({ name: 'after' })
  const listed = await docker.listContainers({ filters: { name: ['after'] } })
  assert.deepEqual(
    listed.map(({ Id, Names }) => [Id, Names]),
    [[container.id, ['/after']]],
  )
  const top: { readonly Processes: readonly (readonly string[])[] } = await container.top()
  assert.match(top.Processes[0]?.join(' ') ?? '', /sleep 1000/)
  await container.pause()
  assert.equal((await container.inspect()).State.Paused, true)
  await container.unpause()
  await container.restart({ t: 0 })
  await container.kill()
  await container.wait()
  await assert.rejects(container.kill(), { statusCode: 409 })
  await container.start()
  await container.stop({ t: 0 })
  assert.equal((await container.inspect()).State.ExitCode, 137)
  await container.remove()
})

test('ping, version and info', async () => {
  assert.equal(String(await docker.ping()), 'OK')
  assert.equal((await docker.version()).Os, 'linux')
  assert.equal((await docker.info()).ContainersRunning, 0)
})
