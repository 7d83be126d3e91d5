import { attachMount, unmountSync } from '#kernel'
import { runProgram } from '#test/docker'
import { unpackRoot } from '#test/images'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { test } from 'node:test'

ownMountNamespace()

test('what a test leaves behind is seen: mounts and processes by name', async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  mkdirSync(folder.join('mnt'))
  attachMount({ type: 'tmpfs', source: 'tmpfs', options: [] }, folder.join('mnt'))
  const child = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], PLACE: folder.path }, stdio: 'ignore' })
  await assert.rejects(leftovers.assertNothingLeft(0), (error) => {
    assert.match(String(error), new RegExp(`mount ${folder.path}/mnt \\(tmpfs`))
    assert.match(String(error), new RegExp(`process ${child.pid} sleep 60`))
    return true
  })
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  unmountSync(folder.join('mnt'))
  await leftovers.assertNothingLeft()
})

test('a temporary folder goes with what is mounted in it', () => {
  let path = ''
  {
    using folder = temporary()
    path = folder.path
    mkdirSync(folder.join('a/b'), { recursive: true })
    attachMount({ type: 'tmpfs', source: 'tmpfs', options: [] }, folder.join('a'))
    mkdirSync(folder.join('a/inner'))
    attachMount({ type: 'tmpfs', source: 'tmpfs', options: [] }, folder.join('a/inner'))
  }
  assert.equal(existsSync(path), false)
})

test('a registry of the test answers, and is gone after it', async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using registry = await startRegistry(folder.path)
    assert.equal((await fetch(`${registry.base}/v2/`)).status, 200)
    assert.match(registry.host, /^127\.0\.0\.1:\d+$/)
  }
  await leftovers.assertNothingLeft()
})

test('the root of busybox runs', async () => {
  using folder = temporary()
  const root = unpackRoot('busybox', folder.join('root'))
  const { code, stdout } = await runProgram('chroot', [root, '/bin/sh', '-c', 'echo $((6 * 7)); exit 3'])
  assert.deepEqual({ code, stdout }, { code: 3, stdout: '42\n' })
})
