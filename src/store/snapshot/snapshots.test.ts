import { silentLog, systemClock } from '#base'
import type { Mount } from '#kernel'
import { parseChainId } from '#oci'
import type { Database } from '#store/db'
import { openDatabase } from '#store/db'
import type { Lease } from '#store/lease'
import { createLeases, resourceKey } from '#store/lease'
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { snapshotJobs } from './jobs.ts'
import { openSnapshots } from './snapshots.ts'
import type { OpenSnapshots, SnapshotJobRunner } from './types.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-snapshot-'))
after(() => rmSync(folder, { recursive: true }))

const context = { cancelled: () => false, report: () => undefined }
const jobs: SnapshotJobRunner = {
  async run<Input, Output>(job: string, input: Input): Promise<Output> {
    const table: Readonly<Record<string, unknown>> = snapshotJobs
    const found = table[job]
    assert(typeof found === 'function')
    return found(input, context)
  },
}

const CHAIN = parseChainId(`sha256:${'a'.repeat(64)}`)

interface Bench {
  readonly database: Database
  readonly root: string
  readonly lease: Lease
  readonly open: (bootId?: string) => Promise<OpenSnapshots>
}

async function bench(name: string): Promise<Bench> {
  const database = await openDatabase(join(folder, `${name}.db`))
  after(() => database[Symbol.asyncDispose]())
  const root = join(folder, name)
  const lease = await createLeases().open('test')
  return {
    database,
    root,
    lease,
    open: (bootId = 'boot') =>
      openSnapshots({ database, folder: root, jobs, clock: systemClock(), log: silentLog(), bootId }),
  }
}

function only(mounts: readonly Mount[]): Mount {
  assert.equal(mounts.length, 1)
  return mounts[0]!
}

test('prepare() gives a bind of the folder itself where there is no parent, else an overlay with every option said', async () => {
  const { lease, root, open } = await bench('prepare')
  await using snapshots = await open()
  const base = await snapshots.prepare('base', undefined, lease)
  assert.deepEqual(only(base.mounts), { type: 'bind', source: join(root, '1/fs'), options: ['bind', 'rw'] })
  const frozen = await base.freeze()
  const top = await snapshots.prepare('top', frozen.id, lease, { volatile: true })
  assert.deepEqual(only(top.mounts).options, [
    `lowerdir+=${join(root, '1/fs')}`,
    `upperdir=${join(root, '2/fs')}`,
    `workdir=${join(root, '2/work')}`,
    'redirect_dir=off',
    'metacopy=off',
    'index=off',
    'volatile',
  ])
  assert.deepEqual(only((await snapshots.view('look', frozen.id, lease)).mounts).options, ['bind', 'ro'])
})

test('prepare() refuses a key in use and a parent that is still written', async () => {
  const { lease, open } = await bench('refuse')
  await using snapshots = await open()
  const base = await snapshots.prepare('base', undefined, lease)
  await assert.rejects(snapshots.prepare('base', undefined, lease), { kind: 'conflict' })
  await assert.rejects(snapshots.prepare('top', base.id, lease), { kind: 'conflict' })
  await assert.rejects(snapshots.reopen('nobody'), { kind: 'not-found' })
})

test('prepare() gives the new root mode and owner of its parent', async () => {
  const { lease, root, open } = await bench('mode')
  await using snapshots = await open()
  const base = await snapshots.prepare('base', undefined, lease)
  writeFileSync(join(base.upper, 'x'), '')
  chmodSync(base.upper, 0o1777)
  const { id } = await base.freeze()
  const top = await snapshots.prepare('top', id, lease)
  assert.equal(lstatSync(top.upper).mode & 0o7777, 0o1777)
  assert.deepEqual(await snapshots.lowers(id), [join(root, '1/fs')])
})

test('seal() keeps the first of two with one chain; the second stays usable', async () => {
  const { lease, open } = await bench('seal')
  await using snapshots = await open()
  const first = await (await snapshots.prepare('a', undefined, lease)).freeze()
  const second = await (await snapshots.prepare('b', undefined, lease)).freeze()
  assert.equal((await snapshots.seal(first, CHAIN)).id, first.id)
  assert.equal((await snapshots.seal(second, CHAIN)).id, first.id)
  assert.equal((await snapshots.find(CHAIN))?.id, first.id)
  assert.equal((await snapshots.get(second.id)).chain, undefined)
})

test('remove() takes the record at once and the bytes behind it', async () => {
  const { lease, root, open } = await bench('remove')
  await using snapshots = await open()
  const { upper } = await snapshots.prepare('gone', undefined, lease)
  mkdirSync(join(upper, 'a/b'), { recursive: true })
  symlinkSync('/etc', join(upper, 'a/link'))
  writeFileSync(Buffer.concat([Buffer.from(join(upper, 'a/')), Buffer.from([0xff, 0xfe])]), 'x')
  await snapshots.remove('gone')
  await assert.rejects(snapshots.reopen('gone'), { kind: 'not-found' })
  await snapshots.settle()
  assert.deepEqual(readdirSync(root), ['trash'])
  assert.deepEqual(readdirSync(join(root, 'trash')), [])
  assert(existsSync('/etc'))
})

test('the collector follows a chain id to its snapshot and to the parents, and removes the rest', async () => {
  const { lease, root, open } = await bench('collect')
  await using snapshots = await open()
  const base = await (await snapshots.prepare('a', undefined, lease)).freeze()
  const top = await (await snapshots.prepare('b', base.id, lease)).freeze()
  await (await snapshots.prepare('c', top.id, lease)).freeze()
  await snapshots.seal(top, CHAIN)
  const { collector } = snapshots
  assert.deepEqual([...collector.edges({ kind: 'snapshot', id: CHAIN })], [{ kind: 'snapshot', id: '2' }])
  assert.deepEqual([...collector.edges({ kind: 'snapshot', id: '2' })], [{ kind: 'snapshot', id: '1' }])
  const live = new Set(['1', '2'].map((id) => resourceKey({ kind: 'snapshot', id })))
  const plan = collector.sweep(live)
  assert.deepEqual(plan.resources, [{ kind: 'snapshot', id: '3' }])
  await plan.removeBytes()
  assert.deepEqual(readdirSync(root).toSorted(), ['1', '2', 'trash'])
})

test('after a reboot, trees that were not synced are dropped with all that stands on them', async () => {
  const { lease, root, open, database } = await bench('reboot')
  {
    await using snapshots = await open()
    await (await snapshots.prepare('safe', undefined, lease)).freeze()
  }
  const crashed = await open()
  const lost = await (await crashed.prepare('lost', undefined, lease)).freeze()
  await crashed.prepare('child', lost.id, lease)
  await crashed.prepare('volatile', undefined, lease, { volatile: true })
  await using snapshots = await open('another boot')
  await snapshots.settle()
  assert.deepEqual(
    database.all('SELECT id FROM snapshot'),
    [{ id: 1 }].map((row) => Object.assign(Object.create(null), row)),
  )
  assert.deepEqual(readdirSync(root).toSorted(), ['1', 'trash'])
})

test('openSnapshots() removes folders without records and records without folders', async () => {
  const { lease, root, open } = await bench('reconcile')
  const first = await open()
  const base = await (await first.prepare('a', undefined, lease)).freeze()
  await (await first.prepare('b', base.id, lease)).freeze()
  await first[Symbol.asyncDispose]()
  rmSync(join(root, '2'), { recursive: true })
  mkdirSync(join(root, '77/fs'), { recursive: true })
  mkdirSync(join(root, 'trash/5/fs'), { recursive: true })
  await using snapshots = await open()
  await snapshots.settle()
  assert.deepEqual(readdirSync(root).toSorted(), ['1', 'trash'])
  assert.deepEqual(readdirSync(join(root, 'trash')), [])
  assert.equal((await snapshots.get(base.id)).id, base.id)
})

test('fork() copies a tree that goes on being written', async () => {
  const { lease, open } = await bench('fork')
  await using snapshots = await open()
  const active = await snapshots.prepare('live', undefined, lease)
  mkdirSync(join(active.upper, 'd'))
  writeFileSync(join(active.upper, 'd/f'), 'one')
  const copy = await snapshots.fork(active.id, lease)
  writeFileSync(join(active.upper, 'd/f'), 'two')
  assert.equal(readFileSync(join(copy.upper, 'd/f'), 'utf8'), 'one')
  assert((await snapshots.usage(copy.id)).inodes === 2)
})

test('a damaged tree is shown to nobody, and what stands on it neither', async () => {
  const { lease, open } = await bench('damage')
  await using snapshots = await open()
  const base = await (await snapshots.prepare('base', undefined, lease)).freeze()
  await snapshots.seal(base, CHAIN)
  const work = await snapshots.prepare('work', base.id, lease)
  snapshots.mark(base.id, '/etc/passwd has other bytes')
  const refused = { kind: 'corrupt', message: /sha256:aaa.*has other bytes.*mica system check --repair/ }
  assert.equal(await snapshots.find(CHAIN), undefined)
  assert.throws(() => snapshots.assertWhole(CHAIN), refused)
  await assert.rejects(snapshots.prepare('more', base.id, lease), refused)
  await assert.rejects(snapshots.view('view', base.id, lease), refused)
  await assert.rejects(snapshots.lowers(base.id), refused)
  const again = await snapshots.reopen(work.key)
  assert.throws(() => again.mounts, refused)
  snapshots.clear(base.id)
  assert.equal((await snapshots.find(CHAIN))?.id, base.id)
  assert.equal(again.mounts.length, 1)
})

test('seal() of the same chain puts the new tree in the place of the damaged one', async () => {
  const { lease, root, open } = await bench('mend')
  await using snapshots = await open()
  const old = await snapshots.prepare('old', undefined, lease)
  writeFileSync(join(old.upper, 'file'), 'wrong')
  const sealed = await snapshots.seal(await old.freeze(), CHAIN)
  await snapshots.prepare('work', sealed.id, lease)
  snapshots.mark(sealed.id, 'file has other bytes')
  const fresh = await snapshots.prepare('fresh', undefined, lease)
  writeFileSync(join(fresh.upper, 'file'), 'right')
  assert.equal((await snapshots.seal(await fresh.freeze(), CHAIN)).id, sealed.id)
  assert.equal(readFileSync(join(sealed.upper, 'file'), 'utf8'), 'right')
  await snapshots.settle()
  assert.deepEqual(readdirSync(root).toSorted(), ['1', '2', 'trash'])
  assert.deepEqual(readdirSync(join(root, 'trash')), [])
  assert.equal((await snapshots.find(CHAIN))?.id, sealed.id)
})

test('a sealed tree whose folder is missing is marked at the start, and what stands on it stays', async () => {
  const { lease, root, open } = await bench('lost')
  const first = await open()
  const base = await (await first.prepare('base', undefined, lease)).freeze()
  await first.seal(base, CHAIN)
  await first.prepare('work', base.id, lease)
  await first[Symbol.asyncDispose]()
  rmSync(join(root, '1', 'fs'), { recursive: true })
  await using snapshots = await open()
  const [lost, work] = await snapshots.list()
  assert.equal(lost?.damage, 'its folder is missing')
  assert.deepEqual([work?.key, work?.damage], ['work', undefined])
})

test('tree.compare names what differs', () => {
  const make = (name: string, change: (root: string) => void = () => undefined): string => {
    const root = join(folder, `compare-${name}`)
    mkdirSync(join(root, 'd'), { recursive: true })
    writeFileSync(join(root, 'd/a'), 'one')
    writeFileSync(join(root, 'b'), 'two')
    symlinkSync('b', join(root, 'link'))
    change(root)
    for (const path of ['d/a', 'b', 'link', 'more']) {
      if (existsSync(join(root, path))) lutimesSync(join(root, path), 1, 1)
    }
    return root
  }
  const expected = make('expected')
  const compare = (actual: string): readonly string[] =>
    snapshotJobs['tree.compare']({ expected, actual }, context).differences.map(({ path, what }) => `${path} ${what}`)
  const table: readonly (readonly [string, (root: string) => void, string])[] = [
    ['bytes', (root) => writeFileSync(join(root, 'd/a'), 'onf'), 'd/a has other bytes'],
    ['size', (root) => writeFileSync(join(root, 'd/a'), 'on'), 'd/a has 2 bytes, not 3'],
    ['missing', (root) => rmSync(join(root, 'd/a')), 'd/a is missing'],
    ['more', (root) => writeFileSync(join(root, 'more'), ''), 'more does not belong there'],
    ['mode', (root) => chmodSync(join(root, 'b'), 0o600), 'b has another mode'],
    ['link', (root) => (rmSync(join(root, 'link')), symlinkSync('d', join(root, 'link'))), 'link leads elsewhere'],
    ['kind', (root) => (rmSync(join(root, 'b')), mkdirSync(join(root, 'b'))), 'b is of another kind'],
  ]
  assert.deepEqual(compare(make('same')), [])
  for (const [name, change, what] of table) assert.deepEqual(compare(make(name, change)), [what])
  assert.deepEqual(compare(join(folder, 'compare-nowhere')), [' is missing'])
})

test('tree.remove removes what is nested deeper than a path can name', () => {
  const path = join(folder, 'deep')
  mkdirSync(path)
  for (let level = 0; level < 500; level += 1) {
    mkdirSync(`${path}-above`)
    renameSync(path, join(`${path}-above`, 'x'.repeat(50)))
    renameSync(`${path}-above`, path)
  }
  snapshotJobs['tree.remove'](path, context)
  assert(!existsSync(path))
})

test('place() puts a tree on a parent; one that is younger gives it a new id and its folder a new name', async () => {
  const { lease, root, open } = await bench('place')
  await using snapshots = await open()
  const early = await snapshots.prepare('early', undefined, lease)
  const base = await snapshots.prepare('base', undefined, lease)
  const late = await snapshots.prepare('late', undefined, lease)
  for (const { key, upper } of [early, base, late]) writeFileSync(join(upper, key), '')
  chmodSync(base.upper, 0o711)
  const parent = await base.freeze()
  const placed = await snapshots.place('early', parent.id, lease)
  assert.equal(Number(placed.id), 4)
  assert.deepEqual(readdirSync(placed.upper), ['early'])
  assert.equal(existsSync(join(root, early.id)), false)
  assert.equal(lstatSync(placed.upper).mode & 0o777, 0o711)
  const kept = await snapshots.place('late', parent.id, lease, { keepRoot: true })
  assert.equal(kept.id, late.id)
  assert.equal(lstatSync(kept.upper).mode & 0o777, 0o755)
  const frozen = await placed.freeze()
  assert.deepEqual(await snapshots.lowers(frozen.id), [placed.upper, base.upper])
  await assert.rejects(snapshots.place('late', parent.id, lease), { kind: 'conflict' })
  await assert.rejects(snapshots.place('nobody', parent.id, lease), { kind: 'not-found' })
})
