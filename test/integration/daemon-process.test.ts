import { startDaemon } from '#test/daemon'
import { ownMountNamespace } from '#test/mount-namespace'
import { watchLeftovers } from '#test/leftovers'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)

after(async () => {
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** Signals of which a process hears, as bits: signal(7). */
function caughtSignals(pid: number): bigint {
  const [, bits = ''] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return BigInt(`0x${bits}`)
}

test('no signal opens a debugger, and SIGUSR1 does not end the daemon', async () => {
  const daemon = await startDaemon({ folder: folder.join('signals') })
  try {
    assert.equal(caughtSignals(daemon.pid) & (1n << 9n), 0n, 'Node would listen for a debugger')
    assert.notEqual(caughtSignals(daemon.pid) & (1n << 14n), 0n, 'SIGTERM is heard')
    process.kill(daemon.pid, 'SIGUSR1')
    assert.equal((await daemon.call('GET', '/_ping')).status, 200)
  } finally {
    await daemon.stop({ all: true })
  }
})

function pings(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    request({ socketPath, path: '/_ping', agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
      .on('error', () => resolve(false))
      .end()
  })
}

test('a daemon whose log takes nothing goes on', { timeout: 60_000 }, async () => {
  const socket = folder.join('full.sock')
  const roots = ['--data-root', folder.join('full', 'data'), '--exec-root', folder.join('full', 'run')]
  const entry = join(import.meta.dirname, '..', '..', 'src', 'bin', 'daemon.ts')
  const full = openSync('/dev/full', 'w')
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_NO_WARNINGS: '1' }
  const words = [entry, ...roots, '-H', `unix://${socket}`, '--log-level', 'debug']
  const child = spawn(process.execPath, words, { stdio: ['ignore', full, full], env })
  closeSync(full)
  const ended = once(child, 'exit')
  try {
    await until('it answers', () => {
      assert.equal(child.exitCode, null, 'it ended')
      return pings(socket)
    })
    assert.equal(await pings(socket), true)
    child.kill('SIGUSR2')
    assert.deepEqual(await ended, [0, null])
  } finally {
    child.kill('SIGKILL')
  }
})
