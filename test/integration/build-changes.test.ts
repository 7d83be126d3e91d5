import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { isSoak } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { Worker } from 'node:worker_threads'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker
let mica: Docker

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  mica = micaClient(daemon.host)
  await docker.ok('pull', 'busybox')
})

after(async () => {
  await docker.ok('rmi', '-f', 'changes')
  docker[Symbol.dispose]()
  await daemon.stop({ all: true })
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

const SIZE = 16 << 20
const SHORT = 1 << 20

/** Writes a file again and again: whole, longer by a bit, and cut off, in turns that last about as long as a read of it. */
const WRITER = `
  const { appendFileSync, truncateSync, writeFileSync } = require('node:fs')
  const { workerData: { path, size, short }, parentPort } = require('node:worker_threads')
  const whole = Buffer.alloc(size, 'a')
  const pause = new Int32Array(new SharedArrayBuffer(4))
  let ended = false
  parentPort.on('message', () => (ended = true))
  const turn = () => {
    if (ended) return parentPort.close()
    writeFileSync(path, whole)
    Atomics.wait(pause, 0, 0, 5 + Math.random() * 40)
    appendFileSync(path, 'aaaa')
    Atomics.wait(pause, 0, 0, 5 + Math.random() * 20)
    truncateSync(path, short)
    Atomics.wait(pause, 0, 0, Math.random() * 10)
    setImmediate(turn)
  }
  turn()
`

const ROUNDS = isSoak() ? 100 : 6

for (const name of ['mica', 'docker'] as const) {
  test(`a file that changes while ${name} builds is a file in the layer, or the build says its name`, async () => {
    const client = name === 'mica' ? mica : docker
    const context = folder.join(`changing-${name}`)
    mkdirSync(context)
    writeFileSync(`${context}/Dockerfile`, 'FROM busybox\nCOPY file last /srv/\n')
    writeFileSync(`${context}/last`, 'last')
    const path = `${context}/file`
    writeFileSync(path, Buffer.alloc(SIZE, 'a'))
    const writer = new Worker(WRITER, { eval: true, workerData: { path, size: SIZE, short: SHORT } })
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const { code, stdout, stderr } = await client.run(['build', '-t', 'changes', context])
        // docker's client sends a tar that is cut off, or files of which it says that it could not add them.
        if (code !== 0) assert.match(stderr, name === 'mica' ? /became shorter while it was read/ : /./, stdout)
        else await assertWhole()
      }
    } finally {
      writer.postMessage('end')
      await new Promise((resolve) => writer.once('exit', resolve))
    }
    const { code, stdout } = await mica.run(['system', 'check'])
    assert.equal(code, 0, stdout)
  })
}

/** What went in is what one reader can have seen, and nothing else is in it. */
async function assertWhole(): Promise<void> {
  const look = 'wc -c < /srv/file; tr -d a < /srv/file | wc -c; cat /srv/last'
  const seen = await docker.ok('run', '--rm', 'changes', 'sh', '-c', look)
  const [length = '', others, last] = seen.split('\n')
  assert.ok(Number(length) >= 0 && Number(length) <= SIZE + 4, seen)
  assert.deepEqual([others, last], ['0', 'last'], seen)
}
