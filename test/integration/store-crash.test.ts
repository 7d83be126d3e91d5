import { hexOf, parseDigest } from '#oci'
import { isSoak } from '#test/environment'
import { filesBelow, watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { openSmallStore, verifyKept } from '#test/store-writer'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'

ownMountNamespace({ network: true })

const ROUNDS = isSoak() ? 200 : 10
const WRITER = join(import.meta.dirname, '..', 'support', 'store-writer.ts')

test(`a store whose writer is killed ${ROUNDS} times has what was kept, and after a collection nothing else`, async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  let most = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    await writeAndKill(folder.path, 20 + Math.random() * 300)
    await using store = await openSmallStore(folder.path)
    assert.deepEqual(store.warnings, [])
    await verifyKept(store)
    most = Math.max(most, store.kept().length)
    await store.content.discardInterrupted()
    await store.gc.collect()
    const kept = store.kept().map((digest) => hexOf(parseDigest(digest)))
    assert.deepEqual(filesBelow(folder.join('content/blobs/sha256')), kept)
    assert.deepEqual(filesBelow(folder.join('content/ingest')), [])
    assert.deepEqual(store.leases.held(), [])
  }
  assert.ok(most > 0, 'the writer had no time to keep anything')
  await leftovers.assertNothingLeft()
})

async function writeAndKill(root: string, milliseconds: number): Promise<void> {
  const child = spawn(process.execPath, [WRITER, root], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), exited])
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  assert.equal(child.exitCode, null, 'the writer ended by itself')
  child.kill('SIGKILL')
  await exited
}
