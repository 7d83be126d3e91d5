import { createLog, systemClock } from '#base'
import {
  attachMount,
  createWorkerPool,
  getXattr,
  makeDevice,
  makeNode,
  openHostMounts,
  setXattr,
  unmountSync,
} from '#kernel'
import { openDatabase } from '#store/db'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import type { Temporary } from '#test/temporary'
import { temporary } from '#test/temporary'
import { hashTree } from '#test/tree-hash'
import type { Volumes } from '#volume'
import { createVolumeMounter, openVolumes } from '#volume'
import assert from 'node:assert/strict'
import {
  chownSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

ownMountNamespace()

interface Bench extends AsyncDisposable {
  readonly volumes: Volumes
  readonly folder: Temporary
}

/** The room with a real database and the real jobs in real workers. */
async function openBench(): Promise<Bench> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(temporary())
  const leftovers = watchLeftovers(folder.path)
  stack.defer(() => leftovers.assertNothingLeft())
  const pool = stack.use(createWorkerPool({ entry: new URL('../../src/bin/worker.ts', import.meta.url), size: 2 }))
  const database = stack.use(await openDatabase(folder.join('engine.db'), { pool }))
  const hostMounts = stack.use(openHostMounts({ entry: new URL('../../src/bin/worker.ts', import.meta.url) }))
  const volumes = await openVolumes({
    mounter: createVolumeMounter({ pool, hostMounts }),
    folder: folder.join('volumes'),
    database,
    trees: {
      copy: (from, to) => pool.run('tree.copy', { from, to }),
      isEmpty: (path) => pool.run('tree.isEmpty', path),
      remove: (path) => pool.run('tree.remove', path),
      usage: async (path) => (await pool.run<string, { size: number }>('tree.usage', path)).size,
    },
    events: { emit: () => undefined },
    clock: systemClock(),
    log: createLog('error', (line) => process.stderr.write(line)),
  })
  const owned = stack.move()
  return { volumes, folder, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** A container's root: an overlay of an image with a folder to seed from, and an upper. */
function mountRoot(folder: Temporary): Disposable & { readonly path: string } {
  const lower = folder.join('lower')
  mkdirSync(join(lower, 'data/sub'), { recursive: true })
  const inside = (name: string): string => join(lower, 'data', name)
  writeFileSync(inside('big'), Buffer.alloc(3_000_000, 'x'))
  writeFileSync(inside('sparse'), 'x')
  truncateSync(inside('sparse'), 1 << 26)
  chownSync(inside('big'), 1234, 5678)
  setXattr(inside('big'), 'user.note', Buffer.from('kept'))
  writeFileSync(Buffer.concat([Buffer.from(inside('x').slice(0, -1)), Buffer.from([0xff, 0xfe, 0x41])]), 'no UTF-8')
  makeNode(inside('fifo'), constants.S_IFIFO | 0o640, 0)
  makeNode(inside('null'), constants.S_IFCHR | 0o666, makeDevice(1, 3))
  symlinkSync('/etc/hostname', inside('absolute'))
  symlinkSync('/etc', join(lower, 'out'))
  const upper = folder.join('upper')
  const root = folder.join('root')
  for (const path of [upper, folder.join('work'), root]) mkdirSync(path)
  const options = [
    `lowerdir+=${lower}`,
    `upperdir=${upper}`,
    `workdir=${folder.join('work')}`,
    'redirect_dir=off',
    'metacopy=off',
    'index=off',
  ]
  attachMount({ type: 'overlay', source: 'overlay', options }, root)
  return { path: root, [Symbol.dispose]: () => unmountSync(root) }
}

test('a volume is seeded from a mounted root with everything that a file can have', async () => {
  await using bench = await openBench()
  const { volumes, folder } = bench
  using root = mountRoot(folder)
  const { mountpoint } = await volumes.create({ name: 'data' })
  await volumes.seed('data', root.path, '/data')
  const expected = [...hashTree(join(root.path, 'data')).values()].sort()
  assert.deepEqual([...hashTree(mountpoint).values()].sort(), expected)
  assert.equal(expected.length, 7)
  assert.equal(getXattr(join(mountpoint, 'big'), 'user.note')?.toString(), 'kept')
  assert.equal(lstatSync(join(mountpoint, 'null')).rdev, makeDevice(1, 3))
  assert.ok(statSync(join(mountpoint, 'sparse')).blocks < 100)
})

test('a volume that another container uses is filled where it is, and not replaced', async () => {
  await using bench = await openBench()
  const { volumes, folder } = bench
  using root = mountRoot(folder)
  const { mountpoint } = await volumes.create({ name: 'data' })
  volumes.use('data', 'first')
  const before = statSync(mountpoint).ino
  await volumes.seed('data', root.path, '/data')
  assert.equal(statSync(mountpoint).ino, before)
  assert.equal(readdirSync(mountpoint).length, 7)
})

test('a link of the image never seeds a volume from the host', async () => {
  await using bench = await openBench()
  const { volumes, folder } = bench
  using root = mountRoot(folder)
  const { mountpoint } = await volumes.create({ name: 'data' })
  await volumes.seed('data', root.path, '/out')
  assert.deepEqual(readdirSync(mountpoint), [])
})

test('a volume goes whatever a container made of it: folders nested deeper than a path can name', async () => {
  await using bench = await openBench()
  const { volumes, folder } = bench
  const { mountpoint } = await volumes.create({ name: 'deep' })
  nest(folder, mountpoint, 700)
  await volumes.remove('deep')
  assert.deepEqual(readdirSync(folder.join('volumes')), ['_trash'])
  assert.deepEqual(readdirSync(folder.join('volumes/_trash')), [])
})

/** Builds from the inside out: each new folder takes the nest so far into it. */
function nest(folder: Temporary, target: string, depth: number): void {
  const name = 'n'.repeat(100)
  const [a, b] = [folder.join('a'), folder.join('b')]
  mkdirSync(a)
  writeFileSync(join(a, 'file'), 'deep down')
  for (let level = 0; level < depth; level += 1) {
    mkdirSync(b)
    renameSync(a, join(b, name))
    renameSync(b, a)
  }
  renameSync(a, join(target, name))
}
