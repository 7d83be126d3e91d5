import { silentLog } from '#base'
import type { Database } from '#store/db'
import { openDatabase, readText } from '#store/db'
import type { Leases, Resource } from '#store/lease'
import { createLeases, resourceKey } from '#store/lease'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createGarbageCollector } from './collector.ts'
import { reachable } from './reachable.ts'
import type { Collector } from './types.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-gc-'))
after(() => rmSync(folder, { recursive: true }))

const snapshot = (id: string | number): Resource => ({ kind: 'snapshot', id: String(id) })

test('reachable() is the closure: roots, what they lead to, and nothing else', () => {
  const graph = fc.record({
    edges: fc.array(fc.tuple(fc.nat(12), fc.nat(12)), { maxLength: 40 }),
    roots: fc.array(fc.nat(12), { maxLength: 4 }),
  })
  fc.assert(
    fc.property(graph, ({ edges, roots }) => {
      const from = (node: Resource): Resource[] =>
        edges.filter(([start]) => String(start) === node.id).map(([, end]) => snapshot(end))
      const live = reachable(roots.map(snapshot), from)
      assert.deepEqual(live, new Set(closure(roots, edges).map((node) => resourceKey(snapshot(node)))))
    }),
  )
})

/** The plain definition: repeat until nothing is added. */
function closure(roots: readonly number[], edges: readonly (readonly [number, number])[]): number[] {
  const found = new Set(roots)
  for (let size = -1; size !== found.size;) {
    size = found.size
    for (const [start, end] of edges) if (found.has(start)) found.add(end)
  }
  return [...found]
}

test('reachable() follows a chain of 100,000 without recursion', () => {
  const live = reachable([snapshot(0)], ({ id }) => (Number(id) < 100_000 ? [snapshot(Number(id) + 1)] : []))
  assert.equal(live.size, 100_001)
})

/** A room in small: snapshots with a parent, bytes in a set. */
interface Shelf {
  readonly database: Database
  readonly leases: Leases
  readonly bytes: Set<string>
  readonly roots: Resource[]
  readonly collector: Collector
  add(id: string, parent?: string): void
  records(): string[]
  /** Awaited before bytes go. */
  gate: () => Promise<void>
}

async function shelf(name: string): Promise<Shelf> {
  const database = await openDatabase(join(folder, `${name}.db`))
  after(() => database[Symbol.asyncDispose]())
  database.run('CREATE TABLE shelf (id TEXT PRIMARY KEY, parent TEXT) STRICT')
  const bytes = new Set<string>()
  const roots: Resource[] = []
  const records = (): string[] => database.all('SELECT id FROM shelf ORDER BY id').map((row) => readText(row, 'id'))
  const made: Shelf = {
    database,
    leases: createLeases(),
    bytes,
    roots,
    gate: async () => undefined,
    records,
    add(id, parent) {
      bytes.add(id)
      database.run('INSERT INTO shelf (id, parent) VALUES (?, ?)', id, parent ?? null)
    },
    collector: {
      roots: () => roots,
      edges: ({ id }) =>
        database
          .all('SELECT parent FROM shelf WHERE id = ? AND parent IS NOT NULL', id)
          .map((row) => snapshot(readText(row, 'parent'))),
      sweep(live) {
        const dead = records().filter((id) => !live.has(resourceKey(snapshot(id))))
        for (const id of dead) database.run('DELETE FROM shelf WHERE id = ?', id)
        return {
          resources: dead.map(snapshot),
          async removeBytes() {
            await made.gate()
            for (const id of dead) bytes.delete(id)
            return dead.length
          },
        }
      },
    },
  }
  return made
}

const collectorOf = (at: Shelf, collectors: readonly Collector[] = [at.collector]) =>
  createGarbageCollector({ database: at.database, leases: at.leases, collectors, log: silentLog() })

test('collect() keeps roots and their parents, removes the rest', async () => {
  const at = await shelf('keeps')
  at.add('base')
  at.add('child', 'base')
  at.add('stray', 'base')
  at.roots.push(snapshot('child'))
  assert.deepEqual(await collectorOf(at).collect(), { bytes: 1, resources: [snapshot('stray')] })
  assert.deepEqual(at.records(), ['base', 'child'])
  assert.deepEqual([...at.bytes], ['base', 'child'])
})

test('collect() keeps what a lease holds and what that leads to, though it was held before it existed', async () => {
  const at = await shelf('leased')
  at.add('base')
  const gc = collectorOf(at)
  {
    await using lease = await at.leases.open('build')
    lease.hold(snapshot('step'))
    at.add('step', 'base')
    await gc.collect()
    assert.deepEqual(at.records(), ['base', 'step'])
  }
  await gc.collect()
  assert.deepEqual(at.records(), [])
  assert.equal(at.bytes.size, 0)
})

test('collect() removes records first: what is taken again while bytes go is seen as gone', async () => {
  const at = await shelf('order')
  at.add('stray')
  const { promise, resolve } = Promise.withResolvers<void>()
  at.gate = () => promise
  const collecting = collectorOf(at).collect()
  assert.deepEqual(at.records(), [])
  assert.deepEqual([...at.bytes], ['stray'])
  resolve()
  await collecting
  assert.equal(at.bytes.size, 0)
})

test('collect() shares the next collection among callers while one is under way', async () => {
  const at = await shelf('shared')
  const gc = collectorOf(at)
  at.add('one')
  const { promise, resolve } = Promise.withResolvers<void>()
  at.gate = () => promise
  const first = gc.collect()
  at.add('two')
  const second = gc.collect()
  const third = gc.collect()
  assert.equal(second, third)
  assert.notEqual(first, second)
  resolve()
  assert.deepEqual((await first).resources, [snapshot('one')])
  assert.deepEqual((await second).resources, [snapshot('two')])
})

test('collect() that fails while marking removes nothing', async () => {
  const at = await shelf('marking')
  at.add('stray')
  const failing: Collector = {
    roots: () => [],
    edges: () => [],
    sweep() {
      throw new RangeError('killed')
    },
  }
  await assert.rejects(collectorOf(at, [at.collector, failing]).collect(), RangeError)
  assert.deepEqual(at.records(), ['stray'])
  assert.deepEqual([...at.bytes], ['stray'])
})

test('collect() that is interrupted while bytes go leaves only bytes that nothing names', async () => {
  const at = await shelf('bytes')
  at.add('stray')
  const gc = collectorOf(at)
  at.gate = () => Promise.reject(new RangeError('killed'))
  await assert.rejects(gc.collect(), RangeError)
  assert.deepEqual(at.records(), [])
  assert.deepEqual([...at.bytes], ['stray'])
  at.gate = async () => undefined
  assert.deepEqual((await gc.collect()).resources, [])
})
