import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { runProgram } from './docker.ts'
import { testEnvironment } from './environment.ts'
import { until } from './wait.ts'

const ENTRY = join(import.meta.dirname, '..', '..', 'src', 'bin', 'daemon.ts')

export interface DaemonOptions {
  /** A temporary folder: the roots `data` and `run`, the socket and the log are made below it. */
  readonly folder: string
  /** Flags besides the roots and the socket. Without `mirror: false` the registry of the set-up stands in for docker.io. */
  readonly flags?: readonly string[]
  readonly mirror?: boolean
  readonly env?: Readonly<Record<string, string>>
}

/** A real daemon out of the sources, with roots of its own. */
export interface TestDaemon extends AsyncDisposable {
  readonly folder: string
  readonly dataRoot: string
  readonly execRoot: string
  readonly socket: string
  /** What `docker -H` takes. */
  readonly host: string
  readonly pid: number
  /** All that it has written, over restarts. */
  log(): string
  /** SIGKILL, and waits until it is gone. */
  kill9(): Promise<void>
  /** Ends it with SIGTERM (containers run on) where it runs, and starts it again. */
  restart(): Promise<void>
  /** `mica daemon stop`; with `all` containers end too and nothing stays. */
  stop(options?: { readonly all?: boolean }): Promise<void>
  /** One request; the body as text. */
  call(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }>
}

/** Resolves once the daemon says that it accepts calls; throws with its log where it ends before. */
export async function startDaemon(options: DaemonOptions): Promise<TestDaemon> {
  const daemon = new DaemonProcess(options)
  await daemon.start()
  return daemon
}

class DaemonProcess implements TestDaemon {
  readonly folder: string
  readonly dataRoot: string
  readonly execRoot: string
  readonly socket: string
  readonly host: string
  readonly #options: DaemonOptions
  readonly #log: string
  #child: ChildProcess | undefined

  constructor(options: DaemonOptions) {
    this.folder = options.folder
    this.dataRoot = join(options.folder, 'data')
    this.execRoot = join(options.folder, 'run')
    this.socket = join(options.folder, 'mica.sock')
    this.host = `unix://${this.socket}`
    this.#options = options
    this.#log = join(options.folder, 'daemon.log')
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the daemon does not run')
    return this.#child.pid
  }

  log(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8') : ''
  }

  async start(): Promise<void> {
    const said = this.log().length
    mkdirSync(this.folder, { recursive: true })
    const output = openSync(this.#log, 'a')
    const mirror = this.#options.mirror === false ? [] : ['--registry-mirror', testEnvironment().registry]
    const child = spawn(
      process.execPath,
      [ENTRY, ...this.#roots(), '-H', this.host, ...mirror, ...(this.#options.flags ?? [])],
      {
        stdio: ['ignore', output, output],
        env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_NO_WARNINGS: '1', ...this.#options.env },
        detached: true,
      },
    )
    closeSync(output)
    this.#child = child
    await until(
      'the daemon says that it accepts calls',
      () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the daemon ended:\n${this.log().slice(said)}`)
        return this.log().includes('accepting calls on', said)
      },
      30,
    )
  }

  async kill9(): Promise<void> {
    const child = this.#running()
    if (!child) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  async restart(): Promise<void> {
    if (this.#running()) await this.stop()
    await this.start()
  }

  async stop(options: { readonly all?: boolean } = {}): Promise<void> {
    const child = this.#running()
    if (!child) return
    const exited = once(child, 'exit')
    const all = options.all === true ? ['--all'] : []
    const { code, stdout, stderr } = await runProgram(process.execPath, [ENTRY, 'stop', ...all, ...this.#roots()])
    if (code !== 0) throw new Error(`the daemon cannot be stopped: ${stdout}${stderr}`)
    await exited
  }

  call(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }> {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' }
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.socket, method, path, headers }, (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('error', reject)
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      })
      sent.on('error', reject)
      sent.end(payload)
    })
  }

  /** A killed daemon is started once more: it alone knows how to end what it left. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#child) return
    if (!this.#running()) await this.start()
    await this.stop({ all: true })
  }

  #running(): ChildProcess | undefined {
    const child = this.#child
    return child && child.exitCode === null && child.signalCode === null ? child : undefined
  }

  #roots(): readonly string[] {
    return ['--data-root', this.dataRoot, '--exec-root', this.execRoot]
  }
}
