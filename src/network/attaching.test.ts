import { createKeyedLock, silentLog } from '#base'
import { openDatabase } from '#store/db'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { plainAttach } from './attach-request.ts'
import { attachSandbox } from './attaching.ts'
import type { Parts } from './parts.ts'
import { createRecords } from './records.ts'
import { PLAIN } from './rows.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-attach-'))
after(() => rmSync(folder, { recursive: true }))

test('attachSandbox() makes no link for a network that was removed while it waited', async () => {
  await using db = await openDatabase(join(folder, 'engine.db'))
  const records = createRecords(db)
  const [network, lock, opened] = [
    { ...PLAIN, id: 'f'.repeat(64), name: 'n', driver: 'bridge' as const, createdAt: 0n },
    createKeyedLock(),
    [] as string[],
  ]
  records.add(network)
  const roots = { open: async () => (opened.push('link'), new Map()) }
  const parts = {
    records,
    lock,
    roots,
    log: silentLog(),
    pathOf: (name: string) => join(folder, name),
  } as unknown as Parts
  const removed = Promise.withResolvers<void>()
  const removal = lock.run('', () => removed.promise)
  const attached = attachSandbox(parts, plainAttach('c', 'n'))
  records.remove(network.id)
  removed.resolve()
  await removal
  await assert.rejects(attached, { kind: 'not-found' })
  assert.deepEqual(opened, [])
})
