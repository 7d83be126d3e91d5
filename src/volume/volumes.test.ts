import { isKind } from '#base'
import { setTimes } from '#kernel'
import type { Database } from '#store/db'
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bench, type Bench, trash, trees, volumeFolders } from './bench.suite.ts'
import type { VolumeTrees } from './types.ts'

test('create() makes a folder and a record, twice the same', async () => {
  const at = await bench()
  const volumes = await at.open()
  const made = await volumes.create({ name: 'data', labels: { a: 'b' } })
  assert.equal(made.mountpoint, join(at.root, 'volumes/data/_data'))
  assert.deepEqual(made.labels, { a: 'b' })
  assert.equal(made.anonymous, false)
  assert.equal(statSync(made.mountpoint).mode & 0o7777, 0o755)
  assert.equal(statSync(join(at.root, 'volumes/data')).mode & 0o7777, 0o701)
  assert.deepEqual(await volumes.create({ name: 'data', labels: { other: 'x' } }), made)
  assert.deepEqual(await (await at.open()).list(), [made])
  assert.deepEqual(at.events, ['create data'])
})

test('create() without a name makes an anonymous volume of 64 hex digits', async () => {
  const volumes = await (await bench()).open()
  const made = await volumes.create({})
  assert.match(made.name, /^[0-9a-f]{64}$/)
  assert.equal(made.anonymous, true)
  assert.deepEqual(made.labels, { 'com.docker.volume.anonymous': '' })
})

test('create() at once from many sides makes one volume', async () => {
  const at = await bench()
  const volumes = await at.open()
  const made = await Promise.all(Array.from({ length: 8 }, () => volumes.create({ name: 'shared' })))
  assert.equal(new Set(made.map((volume) => volume.createdAt)).size, 1)
  assert.deepEqual(at.events, ['create shared'])
})

const refused = [
  { name: 'x', text: /^create x: volume name is too short, names should be at least two alphanumeric characters$/ },
  { name: 'a/b', text: /^create a\/b: "a\/b" includes invalid characters for a local volume name, only/ },
  { name: '', text: /includes invalid characters/ },
  { name: '.hidden', text: /includes invalid characters/ },
  { name: '..', text: /includes invalid characters/ },
  { name: '_trash', text: /includes invalid characters/ },
  { name: 'new\nline', text: /includes invalid characters/ },
  { name: 'a'.repeat(256), text: /longer than 255/ },
]
for (const { name, text } of refused) {
  test(`create() refuses the name ${JSON.stringify(name.slice(0, 12))}`, async () => {
    const at = await bench()
    const volumes = await at.open()
    await assert.rejects(volumes.create({ name }), (error) => isKind(error, 'invalid') && text.test(error.message))
    assert.deepEqual(volumeFolders(at), [])
  })
}

test('get() of what is not there is not-found in the words of Docker', async () => {
  const volumes = await (await bench()).open()
  assert.equal(await volumes.find('gone'), undefined)
  await assert.rejects(
    volumes.get('gone'),
    (error) => isKind(error, 'not-found') && error.message === 'get gone: no such volume',
  )
})

test('remove() takes record and folder', async () => {
  const at = await bench()
  const volumes = await at.open()
  const { mountpoint } = await volumes.create({ name: 'data' })
  writeFileSync(join(mountpoint, 'file'), 'x')
  await volumes.remove('data')
  assert.deepEqual(await volumes.list(), [])
  assert.deepEqual([volumeFolders(at), trash(at)], [[], []])
  assert.deepEqual(at.events, ['create data', 'destroy data'])
  await assert.rejects(volumes.remove('data'), (error) => isKind(error, 'not-found'))
  await volumes.remove('data', true)
})

test('remove() of a volume in use is a conflict that names its users, forced or not', async () => {
  const volumes = await (await bench()).open()
  await volumes.create({ name: 'data' })
  volumes.use('data', 'one')
  volumes.use('data', 'two')
  volumes.use('data', 'two')
  assert.deepEqual(volumes.users('data'), ['one', 'two'])
  for (const force of [false, true]) {
    await assert.rejects(
      volumes.remove('data', force),
      (error) => isKind(error, 'conflict') && error.message === 'remove data: volume is in use - [one, two]',
    )
  }
  volumes.release('one')
  volumes.release('two')
  await volumes.remove('data')
})

test('use() of what is not there is not-found', async () => {
  const volumes = await (await bench()).open()
  assert.throws(
    () => volumes.use('gone', 'one'),
    (error) => isKind(error, 'not-found'),
  )
})

test('a removal that was killed before the folder went is carried on by the next start', async () => {
  const at = await bench()
  const volumes = await at.open()
  const { mountpoint } = await volumes.create({ name: 'data' })
  writeFileSync(join(mountpoint, 'file'), 'x')
  const { database } = at
  const failing: Database = {
    all: (sql, ...parameters) => database.all(sql, ...parameters),
    get: (sql, ...parameters) => database.get(sql, ...parameters),
    run: (sql, ...parameters) => database.run(sql, ...parameters),
    transaction: (work) => database.transaction(work),
    flush: () => Promise.reject(new RangeError('killed')),
    [Symbol.asyncDispose]: async () => undefined,
  }
  const dying = await at.open({ database: failing })
  await assert.rejects(dying.remove('data'), RangeError)
  assert.deepEqual(volumeFolders(at), ['data'])
  const next = await at.open()
  assert.deepEqual(await next.list(), [])
  assert.deepEqual([volumeFolders(at), trash(at)], [[], []])
  assert.deepEqual(at.warnings, [])
})

test('a removal that was killed while bytes went is carried on, and leaves a new volume of that name alone', async () => {
  const at = await bench()
  const dying = await at.open({ trees: { ...trees, remove: () => Promise.reject(new RangeError('killed')) } })
  await dying.create({ name: 'data' })
  await assert.rejects(dying.remove('data'), RangeError)
  const again = await dying.create({ name: 'data' })
  writeFileSync(join(again.mountpoint, 'kept'), 'x')
  assert.equal(trash(at).length, 1)
  const next = await at.open()
  assert.deepEqual(trash(at), [])
  assert.deepEqual(await next.list(), [again])
  assert.deepEqual(readdirSync(again.mountpoint), ['kept'])
})

test('a folder that nothing names goes when it is empty and stays, with a warning, when it holds data', async () => {
  const at = await bench()
  mkdirSync(join(at.root, 'volumes/empty/_data'), { recursive: true })
  mkdirSync(join(at.root, 'volumes/full/_data'), { recursive: true })
  writeFileSync(join(at.root, 'volumes/full/_data/file'), 'x')
  const volumes = await at.open()
  assert.deepEqual(volumeFolders(at), ['full'])
  assert.equal(at.warnings.length, 1)
  const taken = await volumes.create({ name: 'full' })
  assert.deepEqual(readdirSync(taken.mountpoint), ['file'])
})

/** An image's root with a folder of every kind of entry, and links that lead out. */
function imageRoot(at: Bench): string {
  const root = join(at.root, 'image')
  const data = join(root, 'srv/data')
  mkdirSync(join(data, 'sub'), { recursive: true })
  writeFileSync(join(data, 'file'), 'hello', { mode: 0o640 })
  chmodSync(join(data, 'file'), 0o4640)
  setTimes(join(data, 'file'), 1_600_000_000_000_000_001n, 1_600_000_000_123_456_789n)
  linkSync(join(data, 'file'), join(data, 'sub/hard'))
  symlinkSync('../../etc/passwd', join(data, 'link'))
  symlinkSync('/srv/data', join(root, 'inside'))
  symlinkSync('/../../../../etc', join(root, 'outside'))
  writeFileSync(join(root, 'plain'), 'a file')
  chmodSync(data, 0o1777)
  return root
}

test('seed() copies the files of the image with modes, times and links', async () => {
  const at = await bench()
  const volumes = await at.open()
  const { mountpoint } = await volumes.create({ name: 'data' })
  await volumes.seed('data', imageRoot(at), '/srv/data')
  assert.deepEqual(readdirSync(mountpoint).sort(), ['file', 'link', 'sub'])
  const file = lstatSync(join(mountpoint, 'file'), { bigint: true })
  assert.equal(file.mode & 0o7777n, 0o4640n)
  assert.equal(file.mtimeNs, 1_600_000_000_123_456_789n)
  assert.equal(statSync(join(mountpoint, 'sub/hard')).ino, Number(file.ino))
  assert.equal(readlinkSync(join(mountpoint, 'link')), '../../etc/passwd')
  assert.equal(statSync(mountpoint).mode & 0o7777, 0o1777)
  assert.deepEqual(readdirSync(join(at.root, 'volumes/data')), ['_data'])
})

test('seed() follows links inside the root and never out of it', async () => {
  const at = await bench()
  const volumes = await at.open()
  const root = imageRoot(at)
  const inside = await volumes.create({ name: 'inside' })
  await volumes.seed('inside', root, '/inside')
  assert.equal(readFileSync(join(inside.mountpoint, 'file'), 'utf8'), 'hello')
  const outside = await volumes.create({ name: 'outside' })
  await volumes.seed('outside', root, '/outside')
  await volumes.seed('outside', root, '/../../etc')
  assert.deepEqual(readdirSync(outside.mountpoint), [])
})

test('seed() leaves a volume alone that holds something, or where the image has no folder', async () => {
  const at = await bench()
  const volumes = await at.open()
  const root = imageRoot(at)
  const { mountpoint } = await volumes.create({ name: 'data' })
  await volumes.seed('data', root, '/none')
  await volumes.seed('data', root, '/plain')
  assert.deepEqual(readdirSync(mountpoint), [])
  writeFileSync(join(mountpoint, 'mine'), 'x')
  await volumes.seed('data', root, '/srv/data')
  assert.deepEqual(readdirSync(mountpoint), ['mine'])
})

test('seed() that is killed leaves nothing of it to see', async () => {
  const at = await bench()
  const copy: VolumeTrees['copy'] = async (from, to) => {
    await trees.copy(from, to)
    throw new RangeError('killed')
  }
  const stays: VolumeTrees['remove'] = async (path) => (existsSync(path) ? Promise.reject(new RangeError('killed')) : 0)
  const dying = await at.open({ trees: { ...trees, copy, remove: stays } })
  const { mountpoint } = await dying.create({ name: 'data' })
  await assert.rejects(dying.seed('data', imageRoot(at), '/srv/data'), RangeError)
  assert.deepEqual(readdirSync(mountpoint), [])
  assert.deepEqual(readdirSync(join(at.root, 'volumes/data')).sort(), ['_data', '_seeding'])
  const volumes = await at.open()
  assert.deepEqual(readdirSync(join(at.root, 'volumes/data')), ['_data'])
  await volumes.seed('data', join(at.root, 'image'), '/srv/data')
  assert.equal(readFileSync(join(mountpoint, 'file'), 'utf8'), 'hello')
})

test('seed() of a volume that another container has mounted keeps the folder itself', async () => {
  const at = await bench()
  const volumes = await at.open()
  const { mountpoint } = await volumes.create({ name: 'data' })
  volumes.use('data', 'one')
  volumes.use('data', 'two')
  const before = statSync(mountpoint).ino
  await volumes.seed('data', imageRoot(at), '/srv/data')
  assert.equal(statSync(mountpoint).ino, before)
  assert.deepEqual(readdirSync(mountpoint).sort(), ['file', 'link', 'sub'])
  assert.equal(statSync(mountpoint).mode & 0o7777, 0o1777)
})

test('prune() takes unused anonymous volumes, all of them when asked, never those kept or in use', async () => {
  const at = await bench()
  const volumes = await at.open()
  const anonymous = await volumes.create({})
  await volumes.create({ name: 'named' })
  await volumes.create({ name: 'labelled', labels: { keep: 'me' } })
  await volumes.create({ name: 'used' })
  volumes.use('used', 'one')
  writeFileSync(join(anonymous.mountpoint, 'file'), 'x'.repeat(5000))
  const first = await volumes.prune({ all: false, keep: () => false })
  assert.deepEqual(first.removed, [anonymous.name])
  assert.ok(first.bytes >= 5000)
  const second = await volumes.prune({ all: true, keep: (volume) => 'keep' in volume.labels })
  assert.deepEqual(second.removed, ['named'])
  assert.deepEqual(
    (await volumes.list()).map((volume) => volume.name),
    ['labelled', 'used'],
  )
  assert.ok(at.events.includes('prune'))
})

test('usage() is the bytes of the blocks', async () => {
  const volumes = await (await bench()).open()
  const { mountpoint } = await volumes.create({ name: 'data' })
  const empty = await volumes.usage('data')
  writeFileSync(join(mountpoint, 'file'), 'x'.repeat(100_000))
  assert.ok((await volumes.usage('data')) >= empty + 100_000)
})

test('forgetUsers() takes a nameless volume away that was made for a container which never came to be', async () => {
  const at = await bench()
  const volumes = await at.open()
  const lost = await volumes.create({ user: 'gone' })
  const kept = await volumes.create({ user: 'here' })
  await volumes.create({ name: 'named' })
  volumes.use('named', 'gone')
  assert.deepEqual(volumes.users(lost.name), ['gone'])
  await assert.rejects(volumes.remove(lost.name), { kind: 'conflict' })
  await (await at.open()).forgetUsers((id) => id === 'here')
  assert.equal(await volumes.find(lost.name), undefined)
  assert.equal(existsSync(lost.mountpoint), false)
  assert.deepEqual(volumes.users(kept.name), ['here'])
  assert.deepEqual([(await volumes.get('named')).name, volumes.users('named')], ['named', []])
})
