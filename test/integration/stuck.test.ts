import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, afterEach, before, test, type TestContext } from 'node:test'

/*
 * No call waits for what stands still. The promise is two seconds; here a loaded machine gets more, and the longest
 * answer is printed.
 */

/** Milliseconds. */
const GENEROUS = 10_000

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const bin = folder.join('bin')
/** A word of the command line at which the runtime stands still, and who does: itself, or the monitor above it. */
const stuck = folder.join('stuck')
let daemon: TestDaemon
let docker: Docker

before(async () => {
  makeStoppingRuntime()
  daemon = await startDaemon({
    folder: folder.path,
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
  })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
})

afterEach(() => rmSync(stuck, { force: true }))

after(async () => {
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function makeStoppingRuntime(): void {
  const program = (process.env['PATH'] ?? '')
    .split(':')
    .map((path) => join(path, 'crun'))
    .find((path) => isFile(path))
  assert.ok(program, 'crun is on PATH')
  mkdirSync(bin)
  const text = `#!/bin/sh
if read -r word who <${stuck} && case " $* " in *" $word "*) true;; *) false;; esac; then
  if [ "$who" = monitor ]; then kill -STOP "$PPID"; else kill -STOP $$; fi
fi 2>/dev/null
exec ${program} "$@"
`
  writeFileSync(join(bin, 'crun'), text)
  chmodSync(join(bin, 'crun'), 0o755)
}

function isFile(path: string): boolean {
  try {
    return readFileSync(path).length > 0
  } catch {
    return false
  }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  /** The answer goes on for ever: its head is enough. */
  readonly endless?: boolean
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly milliseconds: number
}

function ask({ method, path, body, endless = false }: Call): Promise<Answer> {
  const begun = performance.now()
  const payload = body instanceof Buffer ? body : body === undefined ? undefined : JSON.stringify(body)
  const type = body instanceof Buffer ? 'application/x-tar' : 'application/json'
  const headers = payload === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath: daemon.socket, method, path: `/v1.51${path}`, headers, agent: false },
      (reply) => {
        const chunks: Buffer[] = []
        const end = (): void => {
          clearTimeout(late)
          const text = Buffer.concat(chunks).toString('latin1')
          resolve({ status: reply.statusCode ?? 0, text, milliseconds: performance.now() - begun })
        }
        reply.on('error', () => undefined)
        if (endless) {
          end()
          sent.destroy()
          return
        }
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('end', end)
      },
    )
    const late = setTimeout(() => {
      sent.destroy()
      reject(new Error(`${method} ${path} did not answer within ${GENEROUS} ms`))
    }, GENEROUS)
    sent.on('error', (error) => {
      clearTimeout(late)
      reject(error)
    })
    sent.end(payload)
  })
}

/** All that can be asked about a container without ending it. */
function looking(id: string): readonly Call[] {
  const get = (path: string, endless = false): Call => ({ method: 'GET', path, endless })
  const post = (path: string, body?: unknown, endless = false): Call => ({ method: 'POST', path, body, endless })
  const one = `/containers/${id}`
  return [
    get('/_ping'),
    get('/version'),
    get('/info'),
    get('/containers/json?all=1&size=1'),
    get('/images/json'),
    get('/volumes'),
    get('/networks'),
    get('/system/df'),
    get('/events', true),
    get(`${one}/json?size=1`),
    get(`${one}/top`),
    get(`${one}/stats?stream=0`, true),
    get(`${one}/logs?stdout=1&stderr=1`),
    get(`${one}/logs?stdout=1&follow=1`, true),
    get(`${one}/changes`),
    get(`${one}/export`),
    { method: 'HEAD', path: `${one}/archive?path=/etc` },
    get(`${one}/archive?path=/etc`),
    { method: 'PUT', path: `${one}/archive?path=/tmp`, body: Buffer.alloc(1024) },
    post(`${one}/attach?stream=1&stdout=1&stdin=1`, undefined, true),
    post(`${one}/resize?h=10&w=20`),
    post(`${one}/wait`, undefined, true),
    post(`${one}/start`),
    post(`${one}/rename?name=again-${id.slice(0, 8)}`),
    post(`${one}/pause`),
    post(`${one}/unpause`),
    post(`/commit?container=${id}&repo=committed`),
    post('/containers/prune'),
    post('/volumes/prune'),
    post('/build/prune'),
  ]
}

/** Without what begins one that does not run, or takes it away. */
function lookingOnly(id: string): readonly Call[] {
  return looking(id).filter(({ path }) => !path.endsWith('/start') && path !== '/containers/prune')
}

/** And what ends it, in an order in which each has something to do. */
function ending(id: string): readonly Call[] {
  const one = `/containers/${id}`
  return [
    { method: 'POST', path: `${one}/kill?signal=WINCH` },
    { method: 'POST', path: `${one}/restart?t=0` },
    { method: 'POST', path: `${one}/stop?t=0` },
    { method: 'DELETE', path: `${one}?force=1` },
  ]
}

class Watch {
  readonly #context: TestContext
  #worst = { milliseconds: 0, what: 'nothing' }

  constructor(context: TestContext) {
    this.#context = context
  }

  async ask(call: Call): Promise<Answer> {
    const answer = await ask(call)
    const what = `${call.method} ${call.path.replace(/[0-9a-f]{64}/, 'ID')} ${answer.status}`
    if (answer.milliseconds > this.#worst.milliseconds) this.#worst = { milliseconds: answer.milliseconds, what }
    return answer
  }

  async askAll(calls: readonly Call[]): Promise<readonly Answer[]> {
    const answers: Answer[] = []
    for (const call of calls) answers.push(await this.ask(call))
    return answers
  }

  async exec(id: string): Promise<Answer> {
    const made = await this.ask({
      method: 'POST',
      path: `/containers/${id}/exec`,
      body: { Cmd: ['true'], AttachStdout: true },
    })
    if (made.status !== 201) return made
    const exec = /"Id":"([0-9a-f]+)"/.exec(made.text)?.[1] ?? ''
    const started = await this.ask({ method: 'POST', path: `/exec/${exec}/start`, body: { Detach: true } })
    await this.ask({ method: 'GET', path: `/exec/${exec}/json` })
    await this.ask({ method: 'POST', path: `/exec/${exec}/resize?h=1&w=1` })
    return started
  }

  /** Another container begins, works and ends as ever. */
  async assertOthersGoOn(): Promise<void> {
    const id = await create()
    for (const path of [`/containers/${id}/start`, `/containers/${id}/stop?t=0`])
      assert.equal((await this.ask({ method: 'POST', path })).status, 204, path)
    assert.equal((await this.ask({ method: 'DELETE', path: `/containers/${id}?force=1` })).status, 204)
  }

  say(): void {
    this.#context.diagnostic(`the longest answer took ${Math.round(this.#worst.milliseconds)} ms: ${this.#worst.what}`)
  }
}

const create = async (): Promise<string> => await docker.ok('create', '-i', 'busybox', 'sleep', '1000')

async function run(): Promise<string> {
  const id = await create()
  await docker.ok('start', id)
  return id
}

const monitorOf = (id: string): number => Number(readFileSync(join(daemon.execRoot, 'c', id.slice(0, 12), 'monitor')))

const pidOf = async (id: string): Promise<number> => Number(await docker.ok('inspect', '-f', '{{.State.Pid}}', id))

function assertAnswered(answers: readonly Answer[]): void {
  for (const { status, text } of answers) assert.ok(status >= 100 && status < 600, text)
}

test('a monitor that was stopped holds up no call, nor another container', async (context) => {
  const watch = new Watch(context)
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
  const id = await docker.ok('run', '-di', 'busybox', 'sh', '-c', 'read line; exit 7')
  process.kill(monitorOf(id), 'SIGSTOP')
  process.kill(await pidOf(id), 'SIGTERM')
  process.kill(await pidOf(id), 'SIGKILL')
  assert.equal(await docker.ok('wait', id), '137')
  await docker.ok('rm', id)
})

test('a monitor that was killed: its container is ended, every call answers', async (context) => {
  const watch = new Watch(context)
  const id = await run()
  process.kill(monitorOf(id), 'SIGKILL')
  assertAnswered(await watch.askAll(lookingOnly(id)))
  await until(
    'the container has ended',
    async () => (await docker.ok('inspect', '-f', '{{.State.Status}}', id)) === 'exited',
  )
  assertAnswered(await watch.askAll(ending(id)))
  await watch.assertOthersGoOn()
  watch.say()
})

test('a container whose first process was stopped holds up no call', async (context) => {
  const watch = new Watch(context)
  const id = await run()
  process.kill(await pidOf(id), 'SIGSTOP')
  assertAnswered(await watch.askAll(looking(id)))
  assert.equal((await watch.exec(id)).status, 200)
  await watch.assertOthersGoOn()
  const [, restarted, stopped, removed] = await watch.askAll(ending(id))
  assert.deepEqual([restarted?.status, stopped?.status, removed?.status], [204, 204, 204])
  watch.say()
})

test('a runtime that stands still in an exec is given up, with a clear error', async (context) => {
  const watch = new Watch(context)
  const id = await run()
  writeFileSync(stuck, 'exec itself\n')
  const failed = await watch.exec(id)
  assert.equal(failed.status, 500, failed.text)
  assert.match(failed.text, /stands still/)
  assertAnswered(await watch.askAll(looking(id)))
  rmSync(stuck)
  assert.equal((await watch.exec(id)).status, 200)
  await watch.ask({ method: 'DELETE', path: `/containers/${id}?force=1` })
  watch.say()
})

test('a container that somebody else froze holds up no call, and can be killed', async (context) => {
  const watch = new Watch(context)
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
  const watch = new Watch(context)
  const id = await docker.ok('create', 'busybox', '/no/such/program')
  writeFileSync(stuck, 'delete itself\n')
  const failed = await watch.ask({ method: 'POST', path: `/containers/${id}/start` })
  assert.ok(failed.status >= 400, failed.text)
  await watch.assertOthersGoOn()
  rmSync(stuck)
  assert.equal((await watch.ask({ method: 'DELETE', path: `/containers/${id}?force=1` })).status, 204)
  watch.say()
})

for (const [who, word] of [
  ['runtime', 'itself'],
  ['monitor', 'monitor'],
]) {
  test(`a ${who} that stands still while it makes a container is given up, with a clear error`, async (context) => {
    const watch = new Watch(context)
    const id = await create()
    writeFileSync(stuck, `create ${word}\n`)
    const starting = watch.ask({ method: 'POST', path: `/containers/${id}/start` })
    assertAnswered(await watch.askAll(lookingOnly(id)))
    const failed = await starting
    assert.equal(failed.status, 500, failed.text)
    assert.match(failed.text, /stands still/)
    rmSync(stuck)
    await watch.assertOthersGoOn()
    assert.equal((await watch.ask({ method: 'POST', path: `/containers/${id}/start` })).status, 204)
    assertAnswered(await watch.askAll(ending(id)))
    watch.say()
  })
}
