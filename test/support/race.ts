import assert from 'node:assert/strict'
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import type { TestContext } from 'node:test'

/** How a call ended: what it told, on whichever stream, and whether it was refused. */
export interface Told {
  readonly ok: boolean
  readonly text: string
}

interface Count {
  done: number
  refused: number
  last: string
}

export interface RaceOptions {
  /** Milliseconds. */
  readonly length: number
  /** What no call may ever tell. */
  readonly forbidden: RegExp
  /** Looks at what must not be changed by anybody, several times a second. */
  readonly check: () => void
}

/**
 * Calls of many kinds, each again and again beside the others, until the time is over. Those named «quiet …» must all be
 * carried out. The counts are said at the end.
 */
export async function race(
  calls: Readonly<Record<string, () => Promise<Told>>>,
  context: TestContext,
  { length, forbidden, check }: RaceOptions,
): Promise<void> {
  let end = Date.now() + length
  const counts = new Map<string, Count>(Object.keys(calls).map((what) => [what, { done: 0, refused: 0, last: '' }]))
  const watch = setInterval(check, 200)
  try {
    await Promise.all(
      Object.entries(calls).map(async ([what, call]) => {
        while (Date.now() < end) note(what, await call())
      }),
    )
  } finally {
    // After a failure the others end too.
    end = 0
    clearInterval(watch)
    for (const [what, { done, refused, last }] of counts)
      context.diagnostic(`${what}: ${done} done, ${refused} refused${last && `, last: ${last}`}`)
  }
  check()

  function note(what: string, { ok, text }: Told): void {
    const told = forbidden.exec(text)
    assert.ok(told === null, `${what}: ${told?.[0] ?? ''}`)
    if (what.startsWith('quiet')) assert.ok(ok, `${what}: ${text}`)
    const count = counts.get(what)
    if (!count) return
    if (ok) {
      count.done += 1
    } else {
      count.refused += 1
      count.last = text.trim().slice(0, 200)
    }
  }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
}

/** The calls that clients make, without the price of a client's process. */
export class ApiCalls implements Disposable {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true })

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  /** Rejects where the connection is cut. */
  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body))
    const type = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json'
    const headers = { 'content-type': type, 'content-length': bytes.length }
    const where = { socketPath: this.#socketPath, agent: this.#agent, path: `/v1.51${path}` }
    return new Promise((resolve, reject) => {
      const sent = request({ ...where, method, headers }, (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('error', reject)
        reply.on('end', () =>
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, bytes: Buffer.concat(chunks) }),
        )
      })
      sent.on('error', reject)
      sent.end(bytes)
    })
  }

  async tell(method: string, path: string, body?: unknown): Promise<Told> {
    return toldBy(await this.ask(method, path, body))
  }

  /** As `docker exec`: what the process wrote, with the frames of the stream in it. */
  async exec(id: string, command: readonly string[], options: Readonly<Record<string, unknown>> = {}): Promise<Told> {
    const asked = { AttachStdout: true, AttachStderr: true, ...options, Cmd: command }
    const made = await this.ask('POST', `/containers/${id}/exec`, asked)
    if (made.status !== 201) return toldBy(made)
    const exec = memberOf(made.bytes, 'Id')
    const said = await this.ask('POST', `/exec/${exec}/start`, {})
    const ended = await this.ask('GET', `/exec/${exec}/json`)
    return { ok: memberOf(ended.bytes, 'ExitCode') === '0', text: said.bytes.toString('latin1') }
  }

  /** As `docker run --rm`. */
  async run(options: Readonly<Record<string, unknown>>): Promise<Told> {
    const made = await this.ask('POST', '/containers/create', options)
    if (made.status !== 201) return toldBy(made)
    const path = `/containers/${memberOf(made.bytes, 'Id')}`
    try {
      const started = await this.ask('POST', `${path}/start`)
      if (started.status !== 204) return toldBy(started)
      const ended = await this.ask('POST', `${path}/wait`)
      const { bytes } = await this.ask('GET', `${path}/logs?stdout=1&stderr=1`)
      return { ok: memberOf(ended.bytes, 'StatusCode') === '0', text: bytes.toString('latin1') }
    } finally {
      await this.ask('DELETE', `${path}?force=1&v=1`)
    }
  }

  /** As `docker cp ID:PATH -`; `follow` is its -L. What is cut off is refused. */
  async copyOut(id: string, path: string, { follow = false } = {}): Promise<Told> {
    const url = (of: string): string => `/containers/${id}/archive?path=${encodeURIComponent(of)}`
    try {
      const { headers } = await this.ask('HEAD', url(path))
      const stat = Buffer.from(String(headers['x-docker-container-path-stat'] ?? ''), 'base64')
      const target = follow && stat.length > 0 ? memberOf(stat, 'linkTarget') : ''
      return toldBy(await this.ask('GET', url(target === '' ? path : target)))
    } catch (error) {
      return { ok: false, text: String(error) }
    }
  }

  /** As `docker cp - ID:PATH` of a tar. */
  async copyIn(id: string, path: string, tar: Buffer): Promise<Told> {
    return toldBy(await this.ask('PUT', `/containers/${id}/archive?path=${encodeURIComponent(path)}`, tar))
  }
}

/** A refusal is told too; it counts as one. */
function toldBy({ status, bytes }: Answer): Told {
  return { ok: status >= 200 && status < 300, text: bytes.toString('latin1') }
}

/** A member of a JSON object, as text. */
function memberOf(json: Buffer, name: string): string {
  const value: unknown = JSON.parse(json.toString())
  const members = new Map(typeof value === 'object' && value !== null ? Object.entries(value) : [])
  return String(members.get(name) ?? '')
}

/**
 * A Perl program without single quotes, for a container with debian's perl: in each folder `s` with `m` and `secret` in it is exchanged for links
 * in one system call (renameat2), without a pause, for ever: half the time it is the folder, never is it missing. It is nice: a
 * machine with two processors has an engine to run too.
 */
export function swapper(folders: readonly string[], links: readonly string[]): string {
  const call = process.arch === 'arm64' ? 276 : 316
  return `
    my @folders = qw(${folders.join(' ')});
    my @links = qw(${links.join(' ')});
    for my $folder (@folders) {
      system(qw(mkdir -p), "$folder/s/m");
      for my $n (0 .. $#links) { symlink($links[$n], "$folder/l$n") or die "symlink: $!" }
    }
    setpriority(0, 0, 5);
    open(my $done, ">", "/ready"); close($done);
    while (1) {
      for my $folder (@folders) {
        for my $n (0 .. $#links) {
          for my $turn (0, 1) { syscall(${call}, -100, "$folder/s", -100, "$folder/l$n", 2) }
        }
      }
    }`
}
