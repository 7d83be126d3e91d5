import { createNetworkNamespace, giveMemoryBack, openNft, removeNetworkNamespace, withNetworkNamespace } from '#kernel'
import { startDaemon } from '#test/daemon'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

ownMountNamespace()

/** MB of a process's own, without pages of files. */
function ownMemory(pid: number | 'self'): number {
  const kilobytes = /^Anonymous:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]
  return Number(kilobytes) / 1024
}

/** Of a daemon that runs from sources: some 30, 45 and more before it rests; from the bundle it is 18. */
const IDLE = 35

test('a daemon that was started with the records of an earlier one soon holds little memory', async (context) => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  const daemon = await startDaemon({ folder: folder.path, mirror: false })
  await daemon.restart()
  await until('the daemon holds little', () => ownMemory(daemon.pid) < IDLE, 60)
  context.diagnostic(`${ownMemory(daemon.pid).toFixed(1)} MB`)
  await daemon.stop({ all: true })
  await leftovers.assertNothingLeft()
})

test('what was read of a packet filter with many tables is not kept', async (context) => {
  using folder = temporary()
  const path = folder.join('net')
  createNetworkNamespace(path)
  try {
    using session = withNetworkNamespace(path, () => openNft())
    await session.list('ruleset')
    giveMemoryBack()
    const before = ownMemory('self')
    await session.run(Array.from({ length: 100 }, (_, n) => `add table ip t${n}\n`).join(''))
    await session.list('ruleset')
    giveMemoryBack()
    const more = ownMemory('self') - before
    context.diagnostic(`${more.toFixed(1)} MB`)
    assert.ok(more < 10, `${more.toFixed(1)} MB`)
  } finally {
    removeNetworkNamespace(path)
  }
})
