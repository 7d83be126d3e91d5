import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { runCli } from '#cli'
import type { Io, Output } from '#cli'
import { temporary } from '#test/temporary'

interface Answer {
  readonly line: readonly string[]
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`formats/${name}.json`, import.meta.url), 'utf8'))
const BODIES = new Map(Object.entries(read('bodies') as Readonly<Record<string, unknown>>))
const ANSWERS = read('answers') as readonly Answer[]

/** The recorded replies of a daemon, by path. */
async function serve(socket: string) {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*/, '')
    const body = BODIES.get(path)
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body ?? { message: 'No such object' }))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) }
}

interface Said {
  text: string
}

function outputOf(said: Said): Output {
  return {
    terminal: false,
    write: (chunk) => void (said.text += String(chunk)),
    size: () => ({ rows: 0, columns: 0 }),
    drained: () => Promise.resolve(),
    onResize: () => ({ [Symbol.dispose]() {} }),
  }
}

async function run(words: readonly string[], env: Readonly<Record<string, string>>): Promise<Omit<Answer, 'line'>> {
  const [stdout, stderr]: [Said, Said] = [{ text: '' }, { text: '' }]
  const nothing = { [Symbol.dispose]() {} }
  const io: Io = {
    stdout: outputOf(stdout),
    stderr: outputOf(stderr),
    stdin: { terminal: false, bytes: (async function* () {})(), raw: () => nothing },
    onSignals: () => nothing,
  }
  const exit = await runCli({
    words,
    env,
    cwd: '/',
    io,
    now: () => 0,
    version: '0',
    becomeDaemon: () => Promise.resolve(1),
    runProgram: () => Promise.reject(new Error('no program is run')),
    startDaemon: () => ({ alive: () => false, output: () => '' }),
  })
  return { exit, stdout: stdout.text, stderr: stderr.text }
}

test('__complete answers in the form that completion scripts of docker read', { timeout: 60_000 }, async () => {
  using folder = temporary()
  const socket = folder.join('s')
  await using _server = await serve(socket)
  const env = { DOCKER_HOST: `unix://${socket}`, HOME: folder.path }
  const table: readonly (readonly [readonly string[], string])[] = [
    [['__completeNoDesc', 'hist'], 'history\n:4\n'],
    [['__complete', 'container', 'comm'], "commit\tCreate a new image from a container's changes\n:4\n"],
    [['__completeNoDesc', 'ps', '--no'], '--no-trunc\n:4\n'],
    [['__completeNoDesc', 'rm', ''], 'one\nplain\n:4\n'],
    [['__completeNoDesc', 'run', 'busy'], 'busybox:1.32.0\n:4\n'],
    [['__completeNoDesc', 'volume', 'rm', 'da'], 'data\n:4\n'],
    [['__completeNoDesc', 'network', 'inspect', 'br'], 'bridge\n:4\n'],
    [['__completeNoDesc', 'load', ''], ':0\n'],
    [['__completeNoDesc', 'nosuch', ''], ':0\n'],
  ]
  for (const [words, stdout] of table) assert.deepEqual(await run(words, env), { exit: 0, stdout, stderr: '' })
  for (const shell of ['bash', 'zsh', 'fish'])
    assert.match((await run(['completion', shell], env)).stdout, /mica __complete/)
  assert.equal((await run(['completion', 'tcsh'], env)).exit, 1)
})

test('--format answers as the docker CLI does, on the same replies of the API', { timeout: 60_000 }, async (t) => {
  using folder = temporary()
  const socket = folder.join('s')
  await using _server = await serve(socket)
  const env = { DOCKER_HOST: `unix://${socket}`, HOME: folder.path }
  for (const { line, ...expected } of ANSWERS)
    await t.test(line.join(' '), async () => assert.deepEqual(await run(line, env), expected))
})
