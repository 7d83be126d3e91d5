import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testEnvironment } from './environment.ts'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds until the client is killed. */
  readonly timeout?: number
  /** Aborting kills the client with SIGKILL. */
  readonly signal?: AbortSignal
  /** Called with each piece of standard output. */
  readonly heard?: () => void
}

export interface Docker extends Disposable {
  /** Runs the client; a status other than 0 is no error here. */
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>
  /** Standard output without its last line feed; throws with everything that was said where the status is not 0. */
  ok(...args: readonly string[]): Promise<string>
}

/** The real docker CLI against a socket, with the classic builder and without anybody's configuration. */
export function dockerClient(host: string): Docker {
  const program = testEnvironment().docker
  const config = mkdtempSync(join(tmpdir(), 'mica-docker-'))
  const run = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
    runProgram(program, ['-H', host, ...args], {
      ...options,
      env: { DOCKER_CONFIG: config, DOCKER_BUILDKIT: '0', ...options.env },
    })
  return {
    run,
    async ok(...args) {
      const { code, stdout, stderr } = await run(args)
      if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`)
      return stdout.replace(/\n$/, '')
    },
    [Symbol.dispose]: () => rmSync(config, { recursive: true, force: true }),
  }
}

const TIMEOUT = 120_000

/** Runs any program to its end; HOME is not given, so that no settings of the machine's user are read. */
export function runProgram(file: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...options.env },
      timeout: options.timeout ?? TIMEOUT,
      killSignal: 'SIGKILL',
      ...(options.signal && { signal: options.signal }),
    })
    const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
    child.stdout.on('data', (chunk: Buffer) => {
      output.stdout.push(chunk)
      options.heard?.()
    })
    child.stderr.on('data', (chunk: Buffer) => output.stderr.push(chunk))
    // A client that ends without reading its input is no failure of the test.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input)
    child.on('error', (error) => (options.signal?.aborted ? undefined : reject(error)))
    child.on('close', (code, signal) => {
      const text = (name: 'stdout' | 'stderr'): string => Buffer.concat(output[name]).toString()
      const killed = signal === null ? '' : `\n(killed by ${signal})`
      resolve({ code: code ?? 128, stdout: text('stdout'), stderr: text('stderr') + killed })
    })
  })
}
