import type { Clock } from '#base'
import { collect, createLog, isKind } from '#base'
import { digestOf, hexOf } from '#oci'
import type { Database } from '#store/db'
import { openDatabase } from '#store/db'
import type { Lease, Leases } from '#store/lease'
import { createLeases, resourceKey } from '#store/lease'
import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { contentStoreContract } from './contract.suite.ts'
import { contentJobs } from './jobs.ts'
import { openContentStore } from './store.ts'
import type { ContentJobRunner, OpenContentStore } from './types.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-content-'))
after(() => rmSync(folder, { recursive: true }))

/** What the smallest file takes on the disk. */
const BLOCK = 4096
const HOUR = 3600n * 1_000_000_000n
const hello = { digest: digestOf('hello world'), size: 11 }

/** Jobs in the caller's thread. */
const jobs: ContentJobRunner = {
  async run<Input, Output>(job: string, input: Input): Promise<Output> {
    assert.equal(job, 'content.hash')
    return contentJobs['content.hash'](String(input), { cancelled: () => false }) as Output
  },
}

interface Bench {
  readonly root: string
  readonly database: Database
  readonly leases: Leases
  readonly lease: Lease
  /** The clock stands still unless it is moved. */
  now: bigint
  readonly warnings: string[]
  open(database?: Database): Promise<OpenContentStore>
}

async function bench(): Promise<Bench> {
  const root = mkdtempSync(join(folder, 'root-'))
  const database = await openDatabase(join(root, 'engine.db'))
  after(() => database[Symbol.asyncDispose]())
  const made = { now: 1_790_000_000_000_000_000n }
  const clock: Clock = { nanoseconds: () => made.now, milliseconds: () => Number(made.now / 1_000_000n) }
  const leases = createLeases()
  const lease = await leases.open('test')
  const warnings: string[] = []
  const log = createLog('warn', (line) => warnings.push(line))
  return Object.assign(made, {
    root,
    database,
    leases,
    lease,
    warnings,
    open: (used: Database = database) =>
      openContentStore({ folder: join(root, 'content'), database: used, jobs, clock, log }),
  })
}

const blobFiles = (at: Bench): string[] => readdirSync(join(at.root, 'content/blobs/sha256'))
const ingestFiles = (at: Bench): string[] => readdirSync(join(at.root, 'content/ingest'))

/** The database as it is when the process dies at the first statement that matches. */
function dyingAt(database: Database, statement: RegExp): Database {
  const dying: Database = {
    all: (sql, ...parameters) => database.all(sql, ...parameters),
    get: (sql, ...parameters) => database.get(sql, ...parameters),
    run(sql, ...parameters) {
      if (statement.test(sql)) throw new RangeError('killed')
      return database.run(sql, ...parameters)
    },
    transaction: (work) => database.transaction(work),
    flush: () => database.flush(),
    [Symbol.asyncDispose]: async () => undefined,
  }
  return dying
}

contentStoreContract(async () => {
  const at = await bench()
  return { content: await at.open(), lease: at.lease }
})

test('a blob is one read-only file of its digest', async () => {
  const at = await bench()
  const content = await at.open()
  await content.put(Buffer.from('hello world'), at.lease)
  const path = await content.path(hello.digest)
  assert.equal(path, join(at.root, 'content/blobs/sha256', hexOf(hello.digest)))
  assert.equal(statSync(path).mode & 0o777, 0o444)
  assert.equal(readFileSync(path, 'utf8'), 'hello world')
  assert.deepEqual(ingestFiles(at), [])
})

test('read() of a blob whose bytes changed ends in corrupt', async () => {
  const at = await bench()
  const content = await at.open()
  await content.put(Buffer.from('hello world'), at.lease)
  const path = await content.path(hello.digest)
  chmodSync(path, 0o644)
  for (const damage of ['hello worle', 'hello', 'hello world and more']) {
    writeFileSync(path, damage)
    await assert.rejects(collect(content.read(hello.digest)), (error) => isKind(error, 'corrupt'), damage)
  }
  unlinkSync(path)
  await assert.rejects(collect(content.read(hello.digest)), /its file is missing/)
})

test('a process that dies between the file and its record leaves nothing after the next start', async () => {
  const at = await bench()
  const dying = await at.open(dyingAt(at.database, /INTO content_blob/))
  await assert.rejects(dying.put(Buffer.from('hello world'), at.lease), RangeError)
  const ingest = await dying.begin('layer', at.lease)
  await ingest.write(Buffer.from('other'))
  await assert.rejects(ingest.commit(), RangeError)
  assert.equal(blobFiles(at).length, 2)

  const content = await at.open()
  assert.deepEqual(await content.list(), [])
  assert.deepEqual(blobFiles(at), [])
  await content.put(Buffer.from('hello world'), at.lease)
  assert.equal((await collect(content.read(hello.digest))).toString(), 'hello world')
  assert.deepEqual(at.warnings, [])
  await ingest[Symbol.asyncDispose]()
})

test('a process that dies while it writes leaves an ingest that the next one continues', async () => {
  const at = await bench()
  const dying = await at.open()
  const ingest = await dying.begin('layer', at.lease)
  await ingest.write(Buffer.from('hello '))
  // whoever follows finds all that has come in the file
  await using followed = await ingest.follow()
  assert.ok(followed.fd > 0)
  const packed = await dying.begin('pack', at.lease, { resume: false })
  await packed.write(Buffer.from('half'))
  writeFileSync(join(at.root, 'content/ingest/put-left'), 'left')

  const content = await at.open()
  assert.equal(ingestFiles(at).length, 1)
  await using again = await content.begin('layer', at.lease)
  assert.equal(again.offset, 6)
  await again.write(Buffer.from('world'))
  assert.deepEqual(await again.commit(hello), hello)
  await ingest[Symbol.asyncDispose]()
  await packed[Symbol.asyncDispose]()
})

test('an ingest older than a day begins anew', async () => {
  const at = await bench()
  const content = await at.open()
  {
    await using ingest = await content.begin('layer', at.lease)
    await ingest.write(Buffer.from('stale'))
  }
  at.now += 24n * HOUR
  await using ingest = await content.begin('layer', at.lease)
  assert.equal(ingest.offset, 0)
})

test('openContentStore() drops the records of lost or cut blobs with a warning', async () => {
  const at = await bench()
  const content = await at.open()
  await content.put(Buffer.from('hello world'), at.lease)
  const cut = await content.put(Buffer.from('cut short'), at.lease)
  unlinkSync(await content.path(hello.digest))
  truncateSync(await content.path(cut.digest), 3)
  assert.deepEqual(await (await at.open()).list(), [])
  assert.equal(at.warnings.length, 2)
  assert.deepEqual(blobFiles(at), [])
})

test('collector sweeps what is not live, record first, bytes after', async () => {
  const at = await bench()
  const content = await at.open()
  await content.put(Buffer.from('hello world'), at.lease)
  const kept = await content.put(Buffer.from('kept'), at.lease)
  const live = new Set([resourceKey({ kind: 'blob', id: kept.digest })])
  const plan = at.database.transaction(() => content.collector.sweep(live))
  assert.deepEqual(plan.resources, [{ kind: 'blob', id: hello.digest }])
  assert.equal(await content.find(hello.digest), undefined)
  assert.equal(blobFiles(at).length, 2)
  assert.equal(await plan.removeBytes(), BLOCK)
  assert.deepEqual(blobFiles(at), [hexOf(kept.digest)])
})

test('collector leaves the file of a blob that was stored anew while bytes were going', async () => {
  const at = await bench()
  const content = await at.open()
  await content.put(Buffer.from('hello world'), at.lease)
  const plan = at.database.transaction(() => content.collector.sweep(new Set()))
  await content.put(Buffer.from('hello world'), at.lease)
  assert.equal(await plan.removeBytes(), 0)
  assert.equal((await collect(content.read(hello.digest))).toString(), 'hello world')
})

test('collector keeps ingests that are written or wait, and sweeps those that waited a day', async () => {
  const at = await bench()
  const content = await at.open()
  {
    await using ingest = await content.begin('waits', at.lease)
    await ingest.write(Buffer.from('bytes'))
  }
  const open = await content.begin('open', at.lease)
  const roots = (): string[] => [...content.collector.roots()].map((root) => root.id)
  assert.deepEqual(roots(), ['open', 'waits'])
  at.now += 25n * HOUR
  assert.deepEqual(roots(), ['open'])
  const live = new Set([...content.collector.roots()].map(resourceKey))
  const plan = at.database.transaction(() => content.collector.sweep(live))
  assert.equal(await plan.removeBytes(), BLOCK)
  assert.equal(ingestFiles(at).length, 1)
  await open[Symbol.asyncDispose]()
  assert.deepEqual(ingestFiles(at), [])
})

test('discardInterrupted() removes what waits and leaves what is being written', async () => {
  const at = await bench()
  const content = await at.open()
  {
    await using ingest = await content.begin('waits', at.lease)
    await ingest.write(Buffer.from('bytes'))
  }
  await using open = await content.begin('open', at.lease)
  await open.write(Buffer.from('hello world'))
  assert.equal(await content.discardInterrupted(), BLOCK)
  assert.equal(ingestFiles(at).length, 1)
  assert.deepEqual(await open.commit(hello), hello)
  await using again = await content.begin('waits', at.lease)
  assert.equal(again.offset, 0)
})

test('what is held before it exists is never swept', async () => {
  const at = await bench()
  const content = await at.open()
  const blob = await content.put(Buffer.from('held'), at.lease)
  const live = new Set(at.leases.held().map(resourceKey))
  assert.deepEqual(at.database.transaction(() => content.collector.sweep(live)).resources, [])
  assert.deepEqual(await content.find(blob.digest), blob)
})
