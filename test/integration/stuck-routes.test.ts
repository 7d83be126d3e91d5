import { Hang, NO_FUSE } from '#test/hang'
import { ownMountNamespace } from '#test/mount-namespace'
import {
  type Asked,
  changingRows,
  generalRows,
  lookingRows,
  makingRows,
  pruningRows,
  tableOfRoutes,
  type Target,
} from '#test/routes'
import { stuckScene } from '#test/stuck-scene'
import { until } from '#test/wait'
import { type Answer, ask, type Call } from '#test/watch-calls'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'

/*
 * Whatever stands still, each route of the API answers within two seconds, about a container that is stuck and about a
 * healthy one beside it; the healthy one is answered as if nothing was. The routes are those of the table itself.
 */

ownMountNamespace()

/**
 * Milliseconds, without those in which the machine had no processor for somebody who wanted one, and without the daemon's own
 * work: who waits for what hangs does neither.
 */
const PROMISE = 2000
const AT_ONCE = 3

const scene = stuckScene()
let archive: Buffer

before(() => {
  const folder = scene.join('context')
  mkdirSync(folder)
  writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nCOPY Dockerfile /\nRUN true\n')
  archive = execFileSync('tar', ['-C', folder, '-c', '.'])
})

test('each route of the table has a request here, and no other', () => {
  const target = { id: 'i', name: 'n', network: 'w', volume: 'v', tag: 't' }
  const asked = [
    ...lookingRows(target),
    ...generalRows(target, Buffer.alloc(0)),
    ...changingRows(target),
    ...makingRows(target, {}),
    ...pruningRows('none'),
  ].map(([route]) => route)
  assert.deepEqual(new Set(asked), new Set(tableOfRoutes()))
})

/** What was answered when nothing stood still, by who was asked what. */
const ordinary = new Map<string, number>()

let made = 0

interface Case {
  readonly skip?: string | false
  /** Mounted into the stuck one too. */
  readonly binds?: () => readonly string[]
  /** What it does at the end goes to the stack. */
  readonly upset: (stuck: Target, stack: AsyncDisposableStack) => Promise<unknown> | void
}

function stand(what: string, { skip = false, binds, upset }: Case): void {
  test(what, { skip }, async (context) => {
    const asking = new Asking(context)
    made += 1
    const [stuck, healthy] = await Promise.all([asking.make(`stuck${made}`, binds?.()), asking.make(`healthy${made}`)])
    const stack = new AsyncDisposableStack()
    try {
      await upset(stuck, stack)
      await asking.all([
        ...named('stuck', lookingRows(stuck)),
        ...named('healthy', lookingRows(healthy)),
        ...named('general', generalRows(healthy, archive)),
      ])
      await asking.reacts(healthy)
      await Promise.all([
        asking.inTurn(named('stuck', changingRows(stuck))),
        asking.inTurn(named('healthy', changingRows(healthy))),
      ])
      await asking.all(named('general', pruningRows('none')))
      asking.end()
    } catch (error) {
      context.diagnostic(String(error))
      throw error
    } finally {
      scene.goOn()
      await stack.disposeAsync()
    }
    await until('the stuck one can be removed', async () => {
      const { status } = await scene.daemon.call('DELETE', `/containers/${stuck.id}?force=1`)
      return status === 204 || status === 404
    })
    for (const path of [`/volumes/${stuck.volume}`, `/networks/${stuck.network}`])
      await scene.daemon.call('DELETE', path)
  })
}

type Named = readonly [string, Call]

const named = (who: string, rows: readonly Asked[]): readonly Named[] =>
  rows.map(([route, call], at) => [`${who}: ${route} (${at})`, call])

/** Asks, and notes what was not as promised. */
class Asking {
  readonly #context: TestContext
  readonly #faults: string[] = []
  #worst = { milliseconds: 0, what: 'nothing' }

  constructor(context: TestContext) {
    this.#context = context
  }

  async one(what: string, call: Call): Promise<Answer> {
    const before = pressure() + worked()
    const answer = await ask(scene.daemon.socket, call)
    const milliseconds = isStream(call) ? answer.head : answer.milliseconds
    const crowded = pressure() + worked() - before
    if (milliseconds > PROMISE + crowded)
      this.#faults.push(
        `${what} took ${Math.round(milliseconds)} ms (${Math.round(crowded)} ms of work or without a processor)`,
      )
    if (milliseconds > this.#worst.milliseconds) this.#worst = { milliseconds, what: `${what} ${answer.status}` }
    this.#judge(what, answer)
    return answer
  }

  async all(rows: readonly Named[]): Promise<void> {
    const left = [...rows]
    const work = async (): Promise<void> => {
      for (let row = left.shift(); row; row = left.shift()) await this.one(...row)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }

  async inTurn(rows: readonly Named[]): Promise<void> {
    let exec = 'none'
    for (const [what, call] of rows) {
      const { text } = await this.one(what, { ...call, path: call.path.replace('EXEC', exec) })
      if (call.path.endsWith('/exec')) exec = /"Id":"([0-9a-f]+)"/.exec(text)?.[1] ?? 'none'
    }
  }

  async make(name: string, binds: readonly string[] = []): Promise<Target> {
    const target = { name, network: `${name}-net`, volume: `${name}-vol`, tag: `${name}-image` }
    const request = {
      Image: 'busybox',
      Cmd: ['sh', '-c', 'while read word; do echo got $word; done'],
      OpenStdin: true,
      HostConfig: { Binds: [`${target.volume}:/v`, ...binds], NetworkMode: target.network },
    }
    let id = ''
    for (const [route, call] of makingRows(target, request)) {
      const { status, text } = await this.one(`making: ${route}`, call)
      assert.equal(status, 201, text)
      id = /^\{"Id":"([0-9a-f]+)"/.exec(text)?.[1] ?? id
    }
    const { status, text } = await ask(scene.daemon.socket, { method: 'POST', path: `/containers/${id}/start` })
    assert.equal(status, 204, text)
    return { ...target, id }
  }

  /** Streams that follow do so: what one client types another one reads, and the events tell of a signal. */
  async reacts({ id, name }: Target): Promise<void> {
    const word = `word-of-${name}`
    const begun = performance.now()
    const before = pressure() + worked()
    const logs = follow('GET', `/containers/${id}/logs?stdout=1&follow=1`, `got ${word}`)
    const events = follow('GET', `/events?filters={"container":["${id}"]}`, '"Action":"kill"')
    const attached = follow('POST', `/containers/${id}/attach?stream=1&stdin=1&stdout=1`, `got ${word}`, `${word}\n`)
    await Promise.all([logs.opened, events.opened])
    await ask(scene.daemon.socket, { method: 'POST', path: `/containers/${id}/kill?signal=WINCH` })
    await Promise.all([logs.found, events.found, attached.found])
    const milliseconds = performance.now() - begun
    if (milliseconds > PROMISE + pressure() + worked() - before)
      this.#faults.push(`streams of the healthy one took ${Math.round(milliseconds)} ms`)
  }

  end(): void {
    this.#context.diagnostic(`the longest answer took ${Math.round(this.#worst.milliseconds)} ms: ${this.#worst.what}`)
    assert.deepEqual(this.#faults, [])
  }

  /** All but the stuck one are answered as ever; an error is one sentence. */
  #judge(what: string, { status, text }: Answer): void {
    if (!what.startsWith('stuck')) {
      const before = ordinary.get(what) ?? status
      ordinary.set(what, before)
      if (status !== before) this.#faults.push(`${what}: ${status} instead of ${before}: ${text.slice(0, 300)}`)
    }
    if (status >= 400 && text !== '' && !/^\{"message":"[^"\\\n]|^\{"message":"\\"/.test(text))
      this.#faults.push(`${what}: ${status} without a sentence: ${text.slice(0, 300)}`)
    if (what.startsWith('stuck') && status >= 400)
      this.#context.diagnostic(`${what} ${status} ${text.trim().slice(0, 400)}`)
  }
}

/** A stream until `wanted` comes out of it. */
function follow(method: string, path: string, wanted: string, typed = '') {
  const [opened, found] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const socket = connect(scene.daemon.socket)
  let text = ''
  socket.write(`${method} /v1.51${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`)
  socket.on('error', found.reject)
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (text.includes('\r\n\r\n')) opened.resolve()
    if (text.includes('\r\n\r\n') && typed !== '') socket.write(typed)
    typed = ''
    if (!text.includes(wanted)) return
    found.resolve()
    socket.destroy()
  })
  const late = setTimeout(() => found.reject(new Error(`${method} ${path}: no ${wanted} in ${text}`)), 20_000)
  return { opened: opened.promise, found: found.promise.finally(() => clearTimeout(late)) }
}

/** Their head is what is promised. */
function isStream({ path, endless = false }: Call): boolean {
  return endless || /^\/build\?|\/push$|\/images\/create|\/export$|\/get/.test(path)
}

/** Milliseconds in which somebody had to wait for a processor or a disk (Documentation/accounting/psi.rst). */
function pressure(): number {
  return waitedFor('cpu') + waitedFor('io')
}

function waitedFor(what: 'cpu' | 'io'): number {
  try {
    return Number(/some .*total=(\d+)/.exec(readFileSync(`/proc/pressure/${what}`, 'utf8'))?.[1] ?? 0) / 1000
  } catch {
    return 0
  }
}

/** Milliseconds of processors that the daemon has had (proc_pid_stat(5): the fields 14 and 15, in hundredths of a second). */
function worked(): number {
  const fields = readFileSync(`/proc/${scene.daemon.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

const monitorOf = ({ id }: Target): number =>
  Number(readFileSync(join(scene.daemon.execRoot, 'c', id.slice(0, 12), 'monitor')))

const pidOf = async ({ id }: Target): Promise<number> =>
  Number(await scene.docker.ok('inspect', '-f', '{{.State.Pid}}', id))

stand('nothing stands still', { upset: () => undefined })

stand('a monitor was stopped', { upset: (stuck) => void process.kill(monitorOf(stuck), 'SIGSTOP') })

stand('a monitor was killed', { upset: (stuck) => void process.kill(monitorOf(stuck), 'SIGKILL') })

stand('a container’s first process was stopped', {
  upset: async (stuck) => process.kill(await pidOf(stuck), 'SIGSTOP'),
})

for (const [how, who] of [
  ['was stopped', 'runtime'],
  ['sleeps', 'sleeper'],
  ['was killed', 'killed'],
] as const)
  stand(`the runtime of a container ${how}, whatever it was asked`, { upset: ({ id }) => scene.standStill(id, who) })

for (const signal of ['SIGSTOP', 'SIGKILL'] as const)
  stand(`the switchboard got ${signal}`, { upset: () => void process.kill(switchboard(), signal) })

stand('a folder of the host that is mounted in a container hangs', {
  skip: NO_FUSE,
  binds: () => [`${folder('hung')}:/x`],
  upset: (_stuck, stack) => hang(folder('hung'), stack),
})

stand('a container’s /etc hangs', {
  skip: NO_FUSE,
  binds: () => [`${folder('etc')}:/etc:rslave`],
  upset: (_stuck, stack) => hang(folder('etc'), stack),
})

stand('ps of a container’s processes hangs', {
  async upset(stuck, stack) {
    const words = `#!/bin/sh
case "$*" in *-q*${await pidOf(stuck)}*) exec sleep 1000;; esac
PATH=/usr/local/bin:/usr/bin:/bin exec ps "$@"
`
    writeFileSync(scene.join('bin/ps'), words, { mode: 0o755 })
    stack.defer(() => rmSync(scene.join('bin/ps')))
  },
})

/** More jobs than the pool has threads. */
const MANY = 5
const SENTENCE =
  /^$|cannot .*(in container|of container|on the host).* not answered for \d+\.\d s; mend or unmount that"\}/

stand('jobs on files that hang hold more threads than there are', {
  skip: NO_FUSE,
  binds: () => [`${folder('host')}:/host`],
  async upset({ id }, stack) {
    const contexts = Array.from({ length: MANY }, (_, n) => folder(`host/context-${n}`))
    for (const context of contexts) writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY . /x\n')
    const places = contexts.map((context) => join(context, 'sub'))
    for (const place of [folder('host/sub'), ...places]) {
      mkdirSync(place, { recursive: true })
      hang(place, stack)
    }
    const archive = `/containers/${id}/archive?path=`
    const calls: readonly Call[] = [
      { method: 'HEAD', path: `${archive}/host/sub/file` },
      { method: 'PUT', path: `${archive}/host/sub`, body: Buffer.alloc(1024) },
      { method: 'GET', path: `${archive}/host`, endless: true },
    ]
    const builds = contexts.map((path): Call => ({ method: 'POST', path: `/build?contextpath=${path}` }))
    const begun = [...Array.from({ length: MANY }, () => calls).flat(), ...builds, ...builds].map((call) =>
      ask(scene.daemon.socket, call),
    )
    stack.defer(async () => {
      for (const { status, text } of await Promise.all(begun))
        assert.match(text, status === 200 ? /^$|cannot read the build context|^host/ : SENTENCE)
    })
  },
})

stand('a volume that names a folder of the host hangs', {
  skip: NO_FUSE,
  async upset(_stuck, stack) {
    const body = { Name: 'hung-volume', DriverOpts: { type: 'none', o: 'bind', device: folder('device') } }
    await ask(scene.daemon.socket, { method: 'POST', path: '/volumes/create', body })
    hang(folder('device'), stack)
    const runs = ['/etc', '/x', '/etc', '/x', '/etc', '/x'].map(useHungVolume)
    stack.defer(async () => {
      // At a place that nothing looks at it is mounted, and the container runs.
      for (const text of await Promise.all(runs)) assert.match(text, /^$|not answered for \d|sleeps and stands still/)
      await until('the volume can be removed', async () => {
        const { status } = await scene.daemon.call('DELETE', '/volumes/hung-volume')
        return status === 204
      })
    })
  },
})

/** What is said where a container uses it, at a place that the image has a folder for, or at another. */
async function useHungVolume(place: string): Promise<string> {
  const { socket } = scene.daemon
  const request = { Image: 'busybox', Cmd: ['true'], HostConfig: { Binds: [`hung-volume:${place}`] } }
  const made = await ask(socket, { method: 'POST', path: '/containers/create', body: request })
  const [, id] = /"Id":"([0-9a-f]+)"/.exec(made.text) ?? []
  if (id === undefined) return made.text
  const started = await ask(socket, { method: 'POST', path: `/containers/${id}/start` })
  const removed = await ask(socket, { method: 'DELETE', path: `/containers/${id}?force=1` })
  assert.equal(removed.status, 204, removed.text)
  return started.text
}

function folder(name: string): string {
  mkdirSync(scene.join(name), { recursive: true })
  return scene.join(name)
}

function hang(place: string, stack: AsyncDisposableStack): void {
  const hung = new Hang(place)
  stack.defer(() => hung.end())
}

function switchboard(): number {
  const found = readdirSync('/proc').find((name) => {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8')
      return /switchboard/.test(words) && words.includes(scene.daemon.execRoot)
    } catch {
      return false
    }
  })
  return Number(found)
}
