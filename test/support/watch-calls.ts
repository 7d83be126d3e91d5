import type { TestDaemon } from '#test/daemon'
import assert from 'node:assert/strict'
import { type IncomingMessage, request } from 'node:http'
import type { TestContext } from 'node:test'

/** The promise is two seconds; a loaded machine gets more, and the longest answer is printed. Milliseconds. */
const GENEROUS = 60_000

const CONTAINER = { Image: 'busybox', Cmd: ['sleep', '1000'], OpenStdin: true }

export interface Call {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** The answer goes on for ever: its head is enough. */
  readonly endless?: boolean
}

export interface Answer {
  readonly status: number
  readonly text: string
  /** Until all of it was there; of an endless one, until its head was. */
  readonly milliseconds: number
  /** Until its head was there. */
  readonly head: number
}

export function ask(socketPath: string, { method, path, body, headers: more, endless = false }: Call): Promise<Answer> {
  const begun = performance.now()
  const payload = body instanceof Buffer ? body : body === undefined ? undefined : JSON.stringify(body)
  const type = body instanceof Buffer ? 'application/x-tar' : 'application/json'
  const sized = payload === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }
  const headers = { ...sized, ...more }
  return new Promise((resolve, reject) => {
    const answer = (reply: IncomingMessage, chunks: readonly Buffer[], head: number): void => {
      clearTimeout(late)
      const text = Buffer.concat(chunks).toString('latin1')
      resolve({ status: reply.statusCode ?? 0, text, milliseconds: performance.now() - begun, head })
    }
    const sent = request({ socketPath, method, path: `/v1.51${path}`, headers, agent: false }, (reply) => {
      const head = performance.now() - begun
      const chunks: Buffer[] = []
      const end = (): void => answer(reply, chunks, head)
      reply.on('error', () => undefined)
      if (endless) {
        end()
        sent.destroy()
        return
      }
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('end', end)
    })
    const late = setTimeout(() => {
      sent.destroy()
      reject(new Error(`${method} ${path} did not answer within ${GENEROUS} ms`))
    }, GENEROUS)
    sent.on('upgrade', (reply, socket) => {
      socket.destroy()
      answer(reply, [], performance.now() - begun)
    })
    sent.on('error', (error) => {
      clearTimeout(late)
      reject(error)
    })
    sent.end(payload)
  })
}

/** All that can be asked about a container without ending it. */
export function looking(id: string): readonly Call[] {
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
export function lookingOnly(id: string): readonly Call[] {
  return looking(id).filter(({ path }) => !path.endsWith('/start') && path !== '/containers/prune')
}

/** And what ends it, in an order in which each has something to do. */
export function ending(id: string): readonly Call[] {
  const one = `/containers/${id}`
  return [
    { method: 'POST', path: `${one}/kill?signal=WINCH` },
    { method: 'POST', path: `${one}/restart?t=0` },
    { method: 'POST', path: `${one}/stop?t=0` },
    { method: 'DELETE', path: `${one}?force=1` },
  ]
}

/** Asks the daemon and keeps the longest answer. */
export class Watch {
  readonly #socket: string
  readonly #context: TestContext
  #worst = { milliseconds: 0, what: 'nothing' }

  constructor(daemon: TestDaemon, context: TestContext) {
    this.#socket = daemon.socket
    this.#context = context
  }

  async ask(call: Call): Promise<Answer> {
    const answer = await ask(this.#socket, call)
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
    const made = await this.ask({ method: 'POST', path: '/containers/create', body: CONTAINER })
    assert.equal(made.status, 201, made.text)
    const { Id: id }: { readonly Id: string } = JSON.parse(made.text)
    for (const path of [`/containers/${id}/start`, `/containers/${id}/stop?t=0`])
      assert.equal((await this.ask({ method: 'POST', path })).status, 204, path)
    assert.equal((await this.ask({ method: 'DELETE', path: `/containers/${id}?force=1` })).status, 204)
  }

  say(): void {
    this.#context.diagnostic(`the longest answer took ${Math.round(this.#worst.milliseconds)} ms: ${this.#worst.what}`)
  }
}

export function assertAnswered(answers: readonly Answer[]): void {
  for (const { status, text } of answers) assert.ok(status >= 100 && status < 600, text)
}
