import { Hang, NO_FUSE } from '#test/hang'
import { ownMountNamespace } from '#test/mount-namespace'
import { stuckScene } from '#test/stuck-scene'
import { until } from '#test/wait'
import { assertAnswered, looking, Watch } from '#test/watch-calls'
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'

/* No call waits for a worker, a client, a build or a folder of the host that stands still. */

ownMountNamespace()

/** Stands before the entry of each thread: sees its jobs first. */
const WORKER = `import { existsSync, readFileSync } from 'node:fs'
import { isMainThread, parentPort } from 'node:worker_threads'
const trigger = process.env.STUCK_TRIGGER
if (!isMainThread) {
  const on = parentPort.on.bind(parentPort)
  const hurt = ({ job }) => {
    if (!existsSync(trigger)) return
    const [name, how] = readFileSync(trigger, 'utf8').trim().split(' ')
    if (name !== job) return
    if (how === 'die') process.exit(7)
    const never = new Int32Array(new SharedArrayBuffer(4))
    while (existsSync(trigger)) Atomics.wait(never, 0, 0, 100)
  }
  parentPort.on = (event, listener) =>
    on(event, event === 'message' ? (message) => (hurt(message), listener(message)) : listener)
}
`

const scene = stuckScene((folder) => {
  writeFileSync(join(folder, 'worker.mjs'), WORKER)
  return { NODE_OPTIONS: `--import=${join(folder, 'worker.mjs')}`, STUCK_TRIGGER: join(folder, 'trigger') }
})
/** A job, and what becomes of the worker that gets it: it dies, or hangs until the file is gone. */
const trigger = scene.join('trigger')

afterEach(() => rmSync(trigger, { force: true }))

async function run(...words: readonly string[]): Promise<string> {
  return await scene.docker.ok('run', '-d', '-i', ...words, 'busybox', 'sleep', '1000')
}

test('a worker that dies fails its own job with one clear error; the next one is carried out', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await run()
  await scene.docker.ok('exec', id, 'touch', '/made')
  for (const [job, words] of [
    ['tree.copy', ['commit', id, 'committed']],
    ['layer.diff', ['commit', id, 'committed']],
    ['layer.changes', ['diff', id]],
    ['container.stat', ['cp', `${id}:/made`, '-']],
    ['container.export', ['export', id]],
    ['container.pack', ['cp', `${id}:/made`, '-']],
  ] as const) {
    writeFileSync(trigger, `${job} die`)
    const failed = await scene.docker.run(words)
    assert.notEqual(failed.code, 0, job)
    if (!/export|pack/.test(job))
      assert.match(failed.stderr, new RegExp(`cannot finish job ${job}: its thread ended`), job)
    rmSync(trigger)
    await watch.assertOthersGoOn()
    assert.equal((await scene.docker.run(words)).code, 0, job)
  }
  assertAnswered(await watch.askAll(looking(id)))
  await scene.docker.ok('rm', '-f', id)
  watch.say()
})

test('workers that stand still hold up what needs them alone', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await run()
  writeFileSync(trigger, 'tree.copy hang')
  const commits = [1, 2, 3, 4, 5].map((n) => scene.docker.run(['commit', '-p=false', id, `committed-${n}`]))
  const calls = looking(id).filter(({ path }) => !/^.commit|prune$/.test(path))
  assertAnswered(await watch.askAll(calls))
  assert.equal((await watch.exec(id)).status, 200)
  await watch.assertOthersGoOn()
  rmSync(trigger)
  for (const { code, stderr } of await Promise.all(commits)) assert.equal(code, 0, stderr)
  await scene.docker.ok('rm', '-f', id)
  watch.say()
})

test('clients that send or read nothing more hold up nobody who does', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await run()
  await scene.docker.ok('exec', id, 'dd', 'if=/dev/zero', 'of=/big', 'bs=1M', 'count=8')
  const put = `PUT /v1.51/containers/${id}/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc`
  const get = `GET /v1.51/containers/${id}/archive?path=/big HTTP/1.1\r\nHost: x\r\n\r\n`
  const stalled = await Promise.all([...Array.from({ length: 6 }, () => get), put, put].map(stall))
  assertAnswered(await watch.askAll(looking(id)))
  await scene.docker.ok('cp', `${id}:/etc/passwd`, scene.join('passwd'))
  assert.match(readFileSync(scene.join('passwd'), 'utf8'), /^root:/)
  await watch.assertOthersGoOn()
  for (const socket of stalled) socket.destroy()
  await scene.docker.ok('rm', '-f', id)
  watch.say()
})

/** Reads no more once something of the body has come, if anything comes. */
async function stall(request: string): Promise<Socket> {
  const socket = connect(scene.daemon.socket)
  socket.on('error', () => undefined)
  socket.write(request)
  if (!request.startsWith('GET')) return socket.pause()
  let read = 0
  socket.on('data', (chunk: Buffer) => (read += chunk.length))
  await until('the archive has begun', () => read > 4096, 60)
  return socket.pause()
}

for (const [what, stop] of [
  ['runtime', async () => await until('the step is made', () => steps().length > 0)],
  ['process', async () => process.kill(await until('the step has a pid', stepPid), 'SIGSTOP')],
] as const) {
  test(`a RUN whose ${what} stands still holds up no other call, and ends with its client`, async (context) => {
    const watch = new Watch(scene.daemon, context)
    const id = await run()
    if (what === 'runtime') scene.standStill('run', 'runtime')
    const leave = new AbortController()
    const built = build('FROM busybox\nRUN sleep 1000\n', leave.signal)
    await stop()
    assertAnswered(await watch.askAll(looking(id).filter(({ path }) => path !== '/build/prune')))
    await watch.assertOthersGoOn()
    const begun = performance.now()
    leave.abort()
    await built
    await until('the step is gone', () => steps().length === 0)
    context.diagnostic(`its step was gone after ${Math.round(performance.now() - begun)} ms`)
    scene.goOn()
    const next = await build('FROM busybox\nRUN echo built\n')
    assert.equal(next.code, 0, next.stderr)
    await scene.docker.ok('rm', '-f', id)
    watch.say()
  })
}

const build = async (dockerfile: string, signal?: AbortSignal) =>
  await scene.docker.run(['build', '--no-cache', '-q', '-'], { input: dockerfile, ...(signal && { signal }) })

function steps(): readonly string[] {
  const place = join(scene.daemon.execRoot, 's')
  return existsSync(place) ? readdirSync(place) : []
}

function stepPid(): number | undefined {
  const [step] = steps()
  const path = join(scene.daemon.execRoot, 's', step ?? '', 'pid')
  return step !== undefined && existsSync(path) ? Number(readFileSync(path, 'utf8')) || undefined : undefined
}

test('a folder of the host that hangs holds up only who looks there', { skip: NO_FUSE }, async (context) => {
  const watch = new Watch(scene.daemon, context)
  const [place, other] = [scene.join('hung'), scene.join('other')]
  for (const path of [place, other]) mkdirSync(path)
  const id = await run('-v', `${place}:/x`)
  const later = await scene.docker.ok('create', '-v', `${place}:/x`, 'busybox', 'true')
  const hang = new Hang(place)
  try {
    const runs = Array.from({ length: 10 }, () =>
      scene.docker.run(['run', '--rm', '-v', `${place}:/x`, 'busybox', 'true']),
    )
    const started = scene.docker.run(['start', later])
    assertAnswered(await watch.askAll(looking(id).filter(({ path }) => path !== '/containers/prune')))
    await watch.assertOthersGoOn()
    assert.equal(await scene.docker.ok('run', '--rm', '-v', `${other}:/x`, 'busybox', 'echo', 'fine'), 'fine')
    for (const { code, stderr } of [...(await Promise.all(runs)), await started]) {
      assert.notEqual(code, 0)
      assert.match(stderr, /cannot look at .*hung on the host: its file system has not answered for \d\.\d s/)
    }
    await scene.daemon.restart()
  } finally {
    hang.end()
  }
  await scene.docker.ok('start', '-a', later)
  await scene.docker.ok('rm', '-f', id, later)
  watch.say()
})
