import { ownMountNamespace } from '#test/mount-namespace'
import { stuckScene } from '#test/stuck-scene'
import { until } from '#test/wait'
import { assertAnswered, type Call, ending, looking, lookingOnly, Watch } from '#test/watch-calls'
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

/* No call waits for a monitor, a runtime or a process that stands still. */

ownMountNamespace()

const scene = stuckScene()

const create = async (): Promise<string> => await scene.docker.ok('create', '-i', 'busybox', 'sleep', '1000')

async function run(): Promise<string> {
  const id = await create()
  await scene.docker.ok('start', id)
  return id
}

const monitorOf = (id: string): number =>
  Number(readFileSync(join(scene.daemon.execRoot, 'c', id.slice(0, 12), 'monitor')))

const pidOf = async (id: string): Promise<number> =>
  Number(await scene.docker.ok('inspect', '-f', '{{.State.Pid}}', id))

test('a monitor that was stopped holds up no call, nor another container', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await run()
  process.kill(monitorOf(id), 'SIGSTOP')
  assertAnswered(await watch.askAll(looking(id)))
  assert.equal((await watch.exec(id)).status, 200)
  await watch.assertOthersGoOn()
  const [, restarted, stopped, removed] = await watch.askAll(ending(id))
  assert.deepEqual([restarted?.status, stopped?.status, removed?.status], [204, 204, 204], restarted?.text)
  watch.say()
})

test('a monitor that was stopped is woken at the end of its container, and tells how it ended', async () => {
  const id = await scene.docker.ok('run', '-di', 'busybox', 'sh', '-c', 'read line; exit 7')
  process.kill(monitorOf(id), 'SIGSTOP')
  process.kill(await pidOf(id), 'SIGTERM')
  process.kill(await pidOf(id), 'SIGKILL')
  assert.equal(await scene.docker.ok('wait', id), '137')
  await scene.docker.ok('rm', id)
})

test('a monitor that was killed: its container is ended, every call answers', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await run()
  process.kill(monitorOf(id), 'SIGKILL')
  assertAnswered(await watch.askAll(lookingOnly(id)))
  await until(
    'the container has ended',
    async () => (await scene.docker.ok('inspect', '-f', '{{.State.Status}}', id)) === 'exited',
  )
  assertAnswered(await watch.askAll(ending(id)))
  await watch.assertOthersGoOn()
  watch.say()
})

test('a container whose first process was stopped holds up no call', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await run()
  process.kill(await pidOf(id), 'SIGSTOP')
  assertAnswered(await watch.askAll(looking(id)))
  assert.equal((await watch.exec(id)).status, 200)
  await watch.assertOthersGoOn()
  const [, restarted, stopped, removed] = await watch.askAll(ending(id))
  assert.deepEqual([restarted?.status, stopped?.status, removed?.status], [204, 204, 204])
  watch.say()
})

for (const [who, how] of [
  ['runtime', 'was stopped'],
  ['sleeper', 'sleeps'],
] as const) {
  test(`a runtime that ${how} in an exec is given up, with a clear error`, async (context) => {
    const watch = new Watch(scene.daemon, context)
    const id = await run()
    scene.standStill('exec', who)
    const failed = await watch.exec(id)
    assert.equal(failed.status, 500, failed.text)
    assert.match(failed.text, new RegExp(`${how} and stands still`))
    assertAnswered(await watch.askAll(looking(id)))
    scene.goOn()
    assert.equal((await watch.exec(id)).status, 200)
    await watch.ask({ method: 'DELETE', path: `/containers/${id}?force=1` })
    watch.say()
  })
}

test('a container that somebody else froze holds up no call, and can be killed', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await run()
  freeze(await pidOf(id))
  assertAnswered(await watch.askAll(looking(id).filter(({ path }) => !/pause$|^.commit/.test(path))))
  const failed = await watch.exec(id)
  assert.equal(failed.status, 500, failed.text)
  assert.match(failed.text, /is paused/)
  await watch.assertOthersGoOn()
  assertAnswered(await watch.askAll(ending(id)))
  watch.say()
})

/** By the freezer of its control group, v1 or v2. */
function freeze(pid: number): void {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
  const of = (pattern: RegExp): string | undefined => lines.flatMap((line) => pattern.exec(line)?.[1] ?? [])[0]
  const first = of(/^\d+:freezer:(.*)$/)
  if (first === undefined) writeFileSync(join('/sys/fs/cgroup', of(/^0::(.*)$/) ?? '', 'cgroup.freeze'), '1')
  else writeFileSync(join('/sys/fs/cgroup/freezer', first, 'freezer.state'), 'FROZEN')
}

test('a runtime that stands still while it takes a container away is given up', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await scene.docker.ok('create', 'busybox', '/no/such/program')
  scene.standStill('delete', 'runtime')
  const failed = await watch.ask({ method: 'POST', path: `/containers/${id}/start` })
  assert.ok(failed.status >= 400, failed.text)
  await watch.assertOthersGoOn()
  scene.goOn()
  assert.equal((await watch.ask({ method: 'DELETE', path: `/containers/${id}?force=1` })).status, 204)
  watch.say()
})

for (const [who, how] of [
  ['runtime', 'the runtime (process N) was stopped'],
  ['sleeper', 'the runtime (process N) sleeps'],
  ['monitor', 'the monitor (process N) was stopped'],
] as const) {
  test(`a container is not made while ${how}: that is given up, with a clear error`, async (context) => {
    const watch = new Watch(scene.daemon, context)
    const id = await create()
    // All that it is asked: the root's name stands in each of its command lines.
    scene.standStill(who === 'sleeper' ? `--root=${join(scene.daemon.execRoot, 'oci')}` : 'create', who)
    const starting = watch.ask({ method: 'POST', path: `/containers/${id}/start` })
    assertAnswered(await watch.askAll(lookingOnly(id)))
    const failed = await starting
    assert.equal(failed.status, 500, failed.text)
    assert.ok(failed.text.replace(/process \d+/, 'process N').includes(`${how} and stands still`), failed.text)
    scene.goOn()
    await watch.assertOthersGoOn()
    assert.equal((await watch.ask({ method: 'POST', path: `/containers/${id}/start` })).status, 204)
    assertAnswered(await watch.askAll(ending(id)))
    watch.say()
  })
}

test('a copy whose client stands still holds its own container only, and says so', async (context) => {
  const watch = new Watch(scene.daemon, context)
  const id = await create()
  const path = `/containers/${id}/archive?path=/tmp`
  const socket = connect({ path: scene.daemon.socket })
  socket.on('error', () => undefined)
  socket.write(`PUT /v1.51${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n${'\0'.repeat(512)}`)
  await until('the copy is under way', async () => {
    const { status } = await scene.daemon.call('POST', `/containers/${id}/pause`)
    return readdirSync(join(scene.daemon.execRoot, 'r')).some((name) => name.startsWith('cp-')) && status === 409
  })
  const get = (where: string): Call => ({ method: 'GET', path: `/containers/${id}${where}` })
  const looks = await watch.askAll([get('/json'), get('/archive?path=/etc/group'), get('/export'), get('/changes')])
  assert.deepEqual(
    looks.map(({ status }) => status),
    [200, 200, 200, 200],
  )
  const changes = await watch.askAll([
    { method: 'POST', path: `/containers/${id}/start` },
    { method: 'POST', path: `/containers/${id}/rename?name=never` },
    { method: 'DELETE', path: `/containers/${id}?force=1` },
  ])
  for (const { status, text } of changes) {
    assert.equal(status, 409, text)
    assert.match(text, /is being copied from or to/)
  }
  await watch.assertOthersGoOn()
  socket.destroy()
  await until(
    'the copy is over',
    async () => (await scene.daemon.call('POST', `/containers/${id}/start`)).status === 204,
  )
  assert.equal((await scene.daemon.call('DELETE', `/containers/${id}?force=1`)).status, 204)
  watch.say()
})
