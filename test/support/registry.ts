import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { testEnvironment } from './environment.ts'
import { until } from './wait.ts'

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as it stands in an image's name. */
  readonly host: string
  /** `http://127.0.0.1:PORT`. */
  readonly base: string
  /** Where it keeps blobs; for tests that damage them. */
  readonly storage: string
}

/** The real registry program on a free port of the loopback, empty, with its data below `folder`. */
export async function startRegistry(folder: string): Promise<TestRegistry> {
  const port = await freePort()
  const storage = join(folder, 'registry')
  mkdirSync(storage, { recursive: true })
  const settings = join(folder, 'registry.yml')
  writeFileSync(settings, settingsOf(storage, port))
  const log = join(folder, 'registry.log')
  const output = openSync(log, 'a')
  const child = spawn(testEnvironment().registryProgram, ['serve', settings], {
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
  })
  closeSync(output)
  const base = `http://127.0.0.1:${port}`
  await until('the registry answers', () => {
    if (child.exitCode !== null) throw new Error(`the registry ended:\n${readFileSync(log, 'utf8')}`)
    return answers(`${base}/v2/`)
  })
  return {
    host: `127.0.0.1:${port}`,
    base,
    storage,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

function settingsOf(storage: string, port: number): string {
  return `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ${JSON.stringify(storage)}}
  delete: {enabled: true}
http: {addr: "127.0.0.1:${port}"}
`
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('the loopback gave no port')
  return address.port
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(url, { timeout: 1000 }, (reply) => {
      reply.resume()
      resolve(reply.statusCode === 200)
    })
    call.on('timeout', () => call.destroy())
    call.on('error', () => resolve(false))
    call.end()
  })
}
