import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker, Outcome } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import type { TerminalOutcome, TerminalStep } from '#test/terminal'
import { runAtTerminal } from '#test/terminal'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

ownMountNamespace()

const ENTRY = join(import.meta.dirname, '..', '..', 'src', 'bin', 'cli.ts')
const ESCAPE = String.fromCodePoint(27)

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let mica: Docker

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  mica = micaClient(daemon.host)
  mkdirSync(folder.join('red'))
  writeFileSync(folder.join('red/Dockerfile'), `FROM busybox\nRUN echo warning >&2\nRUN printf '\\033[32mgreen\\n'\n`)
})

after(async () => {
  await daemon.stop({ all: true })
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function atTerminal(
  words: readonly string[],
  steps: readonly TerminalStep[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<TerminalOutcome> {
  return runAtTerminal([process.execPath, ENTRY, '-H', daemon.host, ...words], { NODE_NO_WARNINGS: '1', ...env }, steps)
}

test('a pull rewrites its rows in place on a terminal, and prints plain lines elsewhere', async () => {
  const { code, screen } = await atTerminal(['pull', 'busybox'])
  assert.equal(code, 0, screen)
  assert.match(screen, new RegExp(`${ESCAPE}\\[\\d+A\r${ESCAPE}\\[2K`))
  assert.match(screen, /: Pull complete/)
  await mica.ok('rmi', 'busybox')
  const plain = await mica.ok('pull', 'busybox')
  assert.ok(!plain.includes(ESCAPE) && !plain.includes('\r') && !plain.includes('Downloading'), plain)
  assert.match(plain, /: Pull complete\n/)
})

test('a build marks stderr in red on a terminal, not with NO_COLOR, and not elsewhere', async () => {
  const build = ['build', '--no-cache', folder.join('red')]
  const red = `${ESCAPE}[91mwarning`
  const program = `${ESCAPE}[32mgreen`
  const coloured = await atTerminal(build)
  assert.ok(coloured.screen.includes(red) && coloured.screen.includes(program), coloured.screen)
  for (const { screen } of [await atTerminal(build, [], { NO_COLOR: '1' }), { screen: await mica.ok(...build) }]) {
    assert.ok(!screen.includes(`${ESCAPE}[91m`) && !screen.includes(`${ESCAPE}[0m`), screen)
    assert.ok(screen.includes('warning') && screen.includes(program), screen)
  }
})

const TRAP = `trap 'echo got INT; exit 5' INT; trap 'exit 6' TERM; echo ready; while :; do sleep 0.1; echo tick; done`

/** Runs the client, sends it a signal once it has shown the word, and waits for its end. */
async function signalled(words: readonly string[], shown: string, signal: NodeJS.Signals): Promise<Outcome> {
  const child = spawn(process.execPath, [ENTRY, '-H', daemon.host, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1' },
  })
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const before = stdout.includes(shown)
    stdout += chunk.toString()
    if (!before && stdout.includes(shown)) child.kill(signal)
  })
  await once(child, 'close')
  return { code: child.exitCode ?? -1, stdout, stderr: child.signalCode ?? '' }
}

test('signals go to the container and its exit status comes back; with --sig-proxy=false the client ends alone', async () => {
  const started = { run: ['run', '--name', 'signals'], attach: ['attach'], start: ['start', '-a'] }
  for (const [name, words] of Object.entries(started)) {
    for (const proxied of [true, false]) {
      if (name === 'attach') await mica.ok('run', '-d', '--name', 'signals', 'busybox', 'sh', '-c', TRAP)
      if (name === 'start') await mica.ok('create', '--name', 'signals', 'busybox', 'sh', '-c', TRAP)
      const rest = name === 'run' ? ['busybox', 'sh', '-c', TRAP] : ['signals']
      const { code, stderr } = await signalled([...words, `--sig-proxy=${proxied}`, ...rest], 'tick', 'SIGTERM')
      const state = await mica.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'signals')
      const expected = proxied ? [6, '', 'exited 6'] : [-1, 'SIGTERM', 'running 0']
      assert.deepEqual([code, stderr, state], expected, `${name}, ${proxied}`)
      await mica.ok('rm', '-f', 'signals')
    }
  }
})

test('Ctrl-C is a key of the container at its terminal, and a signal to it without one', async () => {
  for (const flags of [['-it'], []]) {
    const words = ['run', '--rm', ...flags, 'busybox', 'sh', '-c', TRAP]
    const { code, screen } = await atTerminal(words, [[/tick/, '\u0003']])
    assert.equal(code, 5, screen)
    assert.match(screen, /got INT/)
  }
})

test('a process that takes no signal is left to itself after three of them, as docker does', async () => {
  const deaf = `trap 'echo deaf' INT; echo deaf; while :; do sleep 0.1; done`
  const again = (): TerminalStep => [/deaf/, '\u0003']
  const { code, screen } = await atTerminal(
    ['run', '--name', 'deaf', 'busybox', 'sh', '-c', deaf],
    [again(), again(), again()],
  )
  assert.deepEqual([code, /\r\ngot 3 SIGTERM\/SIGINTs, forcefully exiting\r\n/.test(screen)], [1, true], screen)
  assert.equal(await mica.ok('inspect', '-f', '{{.State.Running}}', 'deaf'), 'true')
  await mica.ok('rm', '-f', 'deaf')
})

test('at a terminal lines end once, keys detach, and a second attach sees the same', async () => {
  const words = ['run', '-it', '--name', 'kept', 'busybox', 'sh', '-c', 'echo ready; cat']
  const detached = await atTerminal(words, [[/ready/, '\u0010\u0011']])
  assert.equal(detached.code, 0, detached.screen)
  assert.ok(detached.screen.includes('ready\r\n') && !detached.screen.includes('\r\r'), JSON.stringify(detached.screen))
  const typed: TerminalStep = [/^/, 'hello\n']
  const again = await atTerminal(['attach', 'kept'], [typed, [/hello\r\nhello/, '\u0010\u0011']])
  assert.deepEqual([again.code, again.screen.endsWith('read escape sequence\r\n')], [1, true], again.screen)
  const own = await atTerminal(['attach', '--detach-keys', 'ctrl-a,x', 'kept'], [typed, [/hello\r\nhello/, '\u0001x']])
  assert.equal(own.code, 1, own.screen)
  await mica.ok('rm', '-f', 'kept')
})
