/**
 * The CLI as a start image of Node (docs/decisions/022): this file runs when the bundle is built. It uses the common
 * commands once, so that the image holds them loaded and compiled, and leaves `main` to be run at each start.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startupSnapshot } from 'node:v8'
import { type Io, type Output, runCli } from '#cli'
import { main } from './cli-main.ts'

const COMMANDS = [
  'ps -a',
  'images',
  'version',
  'inspect name',
  'run -d --name name image true',
  'start name',
  'stop name',
  'rm -f name',
  '--help',
]

const container = {
  Id: 'c'.repeat(64),
  Names: ['/name'],
  Image: 'image',
  ImageID: `sha256:${'d'.repeat(64)}`,
  Command: 'true',
  Created: 1,
  Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 80, Type: 'tcp' }],
  Labels: {},
  State: 'running',
  Status: 'Up 1 second',
  Mounts: [],
  NetworkSettings: { Networks: { bridge: {} } },
}
const image = {
  Id: `sha256:${'d'.repeat(64)}`,
  RepoTags: ['image:latest'],
  RepoDigests: [],
  Created: 1,
  Size: 1,
  Labels: {},
}
const version = { Platform: { Name: '' }, Components: [], Version: '', ApiVersion: '', Os: '', Arch: '' }

/** What a daemon might say: only the shapes matter. */
function answerTo(path: string): unknown {
  if (path.startsWith('/containers/json')) return [container]
  if (path.startsWith('/images/json')) return [image]
  if (path.startsWith('/version')) return version
  return { Id: container.Id, Warnings: [] }
}

const nothing = (): Disposable => ({ [Symbol.dispose]: () => undefined })
const silent: Output = {
  terminal: false,
  write: () => undefined,
  drained: () => Promise.resolve(),
  size: () => ({ rows: 0, columns: 0 }),
  onResize: nothing,
}
async function* noBytes() {}
const io: Io = {
  stdout: silent,
  stderr: silent,
  stdin: { terminal: false, bytes: noBytes(), raw: nothing },
  onSignals: nothing,
}

/** Uses each command once against a stand-in; nothing of it stays open. */
async function rehearse(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mica-'))
  const path = join(folder, 'socket')
  const server = createServer((socket) => {
    socket.once('data', (bytes) => {
      const [, target = ''] = String(bytes).split(' ')
      const body = JSON.stringify(answerTo(target))
      socket.end(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  for (const command of COMMANDS) {
    const exit = await runCli({
      words: ['-H', path, ...command.split(' ')],
      env: {},
      cwd: '/',
      io,
      now: () => Date.now(),
      version: '',
      runProgram: () => Promise.resolve({ status: undefined, stdout: '' }),
      becomeDaemon: () => Promise.resolve(1),
      startDaemon: () => ({ alive: () => false, output: () => '' }),
    })
    if (exit !== 0) throw new Error(`mica ${command} ended with ${exit} when it was tried for the start image`)
  }
  await new Promise((resolve) => server.close(resolve))
  rmSync(folder, { recursive: true })
}

startupSnapshot.setDeserializeMainFunction(main)
rehearse().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})
