import { collect } from '#base'
import { chainId, type DiffId, MEDIA_TYPES, parseDiffId } from '#oci'
import { makeDevice, makeNode, setTimes, setXattr } from '#kernel'
import { type LayerRecord, findPrograms, NO_PROGRAMS } from '#store/layer'
import type { FrozenSnapshot, SealedSnapshot } from '#store/snapshot'
import { readTar, writeTar } from '#archive'
import { type LayerStore, openLayerStore, whileMounted } from '#test/layer-store'
import { isSoak } from '#test/environment'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { createDice } from '#test/layer-maker'
import { changeLines, compareTrees, editTree } from '#test/tree-edits'
import { treeFacts } from '#test/tree-facts'
import { watchLeftovers } from '#test/leftovers'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'

ownMountNamespace()

const PROGRAMS = await findPrograms(process.env['PATH'] ?? '')
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex')

async function makeBase({ snapshots, layers, lease }: LayerStore): Promise<SealedSnapshot> {
  const base = await snapshots.prepare('base', undefined, lease)
  const { upper } = base
  for (const folder of ['keep', 'gone', 'emptied/inner', 'replaced', 'moved'])
    mkdirSync(`${upper}/${folder}`, { recursive: true })
  for (const file of [
    'keep/same',
    'keep/edited',
    'keep/removed',
    'gone/x',
    'emptied/inner/y',
    'replaced/old',
    'moved/z',
  ]) {
    writeFileSync(`${upper}/${file}`, file)
  }
  chmodSync(upper, 0o751)
  return seal(layers, await base.freeze(), undefined, lease)
}

async function seal(
  layers: LayerStore['layers'],
  frozen: FrozenSnapshot,
  parent: SealedSnapshot | undefined,
  lease: LayerStore['lease'],
): Promise<SealedSnapshot> {
  return layers.adopt(frozen, parent?.chain, await layers.diff(frozen, lease))
}

/** All that a container may do to its root. */
function workInside(root: string): void {
  writeFileSync(`${root}/keep/edited`, 'edited')
  rmSync(`${root}/keep/removed`)
  rmSync(`${root}/gone`, { recursive: true })
  rmSync(`${root}/emptied`, { recursive: true })
  mkdirSync(`${root}/emptied`)
  writeFileSync(`${root}/emptied/new`, 'new')
  rmSync(`${root}/replaced`, { recursive: true })
  writeFileSync(`${root}/replaced`, 'a file now')
  mkdirSync(`${root}/made`)
  renameSync(`${root}/made`, `${root}/renamed`)
  linkSync(`${root}/keep/same`, `${root}/renamed/hard`)
  symlinkSync('../keep/same', `${root}/renamed/soft`)
  makeNode(`${root}/renamed/null`, constants.S_IFCHR | 0o666, makeDevice(1, 3))
  makeNode(`${root}/renamed/disk`, constants.S_IFBLK | 0o600, makeDevice(259, 70_000))
  makeNode(`${root}/renamed/pipe`, constants.S_IFIFO | 0o644, 0)
  makeNode(`${root}/renamed/socket`, constants.S_IFSOCK | 0o644, 0)
  writeFileSync(Buffer.concat([Buffer.from(`${root}/renamed/`), Buffer.from([0xff, 0xfe, 0x80])]), 'no UTF-8')
  writeFileSync(`${root}/renamed/${'l'.repeat(255)}`, 'long')
  mkdirSync(`${root}/renamed/${'d'.repeat(200)}/${'e'.repeat(200)}/${'f'.repeat(200)}`, { recursive: true })
  writeSparse(`${root}/renamed/sparse`)
  writeFileSync(`${root}/renamed/tool`, 'tool')
  chownSync(`${root}/renamed/tool`, 1000, 3_000_000)
  chmodSync(`${root}/renamed/tool`, 0o6755)
  setXattr(`${root}/renamed/tool`, 'security.capability', CAPABILITY)
  setXattr(`${root}/renamed/tool`, 'user.note', Buffer.from([0, 10, 61, 255]))
  setXattr(`${root}/renamed`, 'trusted.note', Buffer.from('t'))
  setTimes(`${root}/renamed/tool`, 1n, 1_234_567_890_123_456_789n)
  setTimes(`${root}/renamed`, 1n, -86_400_000_000_001n)
}

function writeSparse(path: string): void {
  const file = openSync(path, 'w')
  writeSync(file, 'abc', 1_000_000)
  ftruncateSync(file, 5_000_000)
  closeSync(file)
}

test('what a container did to its root is in the layer, and nothing of the mount; another store gets the same tree', async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  await using here = await openLayerStore(folder.join('here'), PROGRAMS)
  const base = await makeBase(here)
  const active = await here.snapshots.prepare('container', base.id, here.lease)
  await whileMounted(active.mounts, folder.join('root'), workInside)

  const changes = await here.layers.changes(active.upper, base.id)
  assert.deepEqual(
    changes.filter(({ path }) => !path.startsWith('/renamed/')).map(({ kind, path }) => `${kind} ${path}`),
    [
      'changed /emptied',
      'removed /emptied/inner',
      'added /emptied/new',
      'removed /gone',
      'changed /keep',
      'changed /keep/edited',
      'removed /keep/removed',
      'added /renamed',
      'changed /replaced',
    ],
  )

  const top = await seal(here.layers, await active.freeze(), base, here.lease)
  const names = await namesOf(here, top)
  assert(names.includes('emptied/.wh..wh..opq') && names.includes('.wh.gone') && names.includes('keep/.wh.removed'))
  assert(!names.some(({ length }, index) => length === 0 || names.indexOf(names[index] ?? '') !== index))
  assert.deepEqual(await here.layers.count(top.chain), tally(changes))

  await using there = await openLayerStore(folder.join('there'), NO_PROGRAMS)
  let parent: SealedSnapshot | undefined
  for (const chain of [base.chain, top.chain]) parent = await carry(here, there, chain, parent)
  assert.equal(parent?.chain, top.chain)
  assert.deepEqual(treeFacts((await there.snapshots.find(top.chain))!.upper), withoutSockets(treeFacts(top.upper)))
  const sparse = statSync(`${(await there.snapshots.find(top.chain))!.upper}/renamed/sparse`)
  assert(sparse.blocks * 512 < 100_000, 'a file with holes lost them')
  const [ours, theirs] = [
    await here.snapshots.view('v', top.id, here.lease),
    await there.snapshots.view('v', parent!.id, there.lease),
  ]
  const shown = await whileMounted(ours.mounts, folder.join('root'), treeFacts)
  assert.deepEqual(await whileMounted(theirs.mounts, folder.join('root'), treeFacts), withoutSockets(shown))
  assert.equal(statSync((await there.snapshots.find(base.chain))!.upper).mode & 0o777, 0o751)
  await leftovers.assertNothingLeft()
})

/** Packs a layer in one store and applies it in another. */
async function carry(
  from: LayerStore,
  to: LayerStore,
  chain: SealedSnapshot['chain'],
  parent: SealedSnapshot | undefined,
): Promise<SealedSnapshot> {
  const layer = await getLayer(from, chain)
  const blob = await from.layers.pack(layer, 'gzip', from.lease)
  await to.content.put(await collect(from.content.read(blob.digest)), to.lease)
  return to.layers.apply(blob, layer.diffId, parent, to.lease)
}

async function getLayer(store: LayerStore, chain: SealedSnapshot['chain']): Promise<LayerRecord> {
  const layer = await store.layers.find(chain)
  assert(layer)
  return layer
}

async function namesOf(store: LayerStore, { chain }: SealedSnapshot): Promise<string[]> {
  const names: string[] = []
  for await (const { path, xattrs } of readTar(store.layers.tar(await getLayer(store, chain)))) {
    names.push(path)
    assert(![...xattrs.keys()].some((name) => name.includes('overlay')))
  }
  return names
}

function withoutSockets(facts: readonly string[]): readonly string[] {
  return facts.filter((line) => !line.startsWith('"renamed/socket"') && !line.startsWith('"socket"'))
}

function tally(changes: readonly { readonly kind: 'added' | 'changed' | 'removed' }[]): Record<string, number> {
  const counts = { added: 0, changed: 0, removed: 0 }
  for (const { kind } of changes) counts[kind] += 1
  return counts
}

test('128 layers mount, and the topmost wins', async () => {
  using folder = temporary()
  await using store = await openLayerStore(folder.join('store'), PROGRAMS)
  let parent: FrozenSnapshot | undefined
  for (let level = 1; level <= 128; level += 1) {
    const active = await store.snapshots.prepare(`level ${level}`, parent?.id, store.lease)
    writeFileSync(`${active.upper}/top`, String(level))
    writeFileSync(`${active.upper}/${level}`, '')
    parent = await active.freeze()
  }
  const active = await store.snapshots.prepare('container', parent?.id, store.lease)
  await whileMounted(active.mounts, folder.join('root'), (root) => {
    assert.equal(readFileSync(`${root}/top`, 'utf8'), '128')
    assert.equal(readdirSync(root).length, 129)
    writeFileSync(`${root}/top`, 'mine')
  })
  assert.equal(readFileSync(`${active.upper}/top`, 'utf8'), 'mine')
})

test('a volatile root mounts again after reopen()', async () => {
  using folder = temporary()
  await using store = await openLayerStore(folder.join('store'), PROGRAMS)
  const base = await makeBase(store)
  const first = await store.snapshots.prepare('c', base.id, store.lease, { volatile: true })
  await whileMounted(first.mounts, folder.join('root'), (root) => writeFileSync(`${root}/kept`, 'x'))
  const again = await store.snapshots.reopen('c')
  await whileMounted(again.mounts, folder.join('root'), (root) =>
    assert.equal(readFileSync(`${root}/kept`, 'utf8'), 'x'),
  )
})

test('pack() gives every form, with programs and without, and a known blob as it is', async () => {
  using folder = temporary()
  for (const [name, programs] of [
    ['with', PROGRAMS],
    ['without', NO_PROGRAMS],
  ] as const) {
    await using store = await openLayerStore(folder.join(name), programs)
    const layer = await getLayer(store, (await makeBase(store)).chain)
    for (const form of ['gzip', 'zstd', 'tar'] as const) {
      const blob = await store.layers.pack(layer, form, store.lease)
      const known = await getLayer(store, layer.chain)
      assert.deepEqual(await store.layers.pack(known, form, store.lease), blob)
      assert.equal(digestOf(await collect(store.layers.tar({ ...known, blobs: [blob] }))), layer.diffId)
      assert.equal(digestOf(await collect(store.layers.tar({ ...known, blobs: [] }))), layer.diffId)
    }
  }
})

test('pack() of a tree that was changed ends in corrupt', async () => {
  using folder = temporary()
  for (const programs of [PROGRAMS, NO_PROGRAMS]) {
    await using store = await openLayerStore(folder.join(programs === PROGRAMS ? 'a' : 'b'), programs)
    const base = await makeBase(store)
    writeFileSync(`${base.upper}/keep/same`, 'tampered')
    for (const form of ['gzip', 'zstd', 'tar'] as const) {
      await assert.rejects(store.layers.pack(await getLayer(store, base.chain), form, store.lease), { kind: 'corrupt' })
    }
  }
})

const TAR = await collect(writeTar([{ kind: 'file', path: 'file', body: Buffer.alloc(3_000_000, 'abc') }]))
const DIFF = parseDiffId(digestOf(TAR))

test('apply() takes every form, once for all who ask at the same time', async () => {
  using folder = temporary()
  for (const [index, bytes] of [
    TAR,
    gzipSync(TAR),
    zstdCompressSync(TAR),
    Buffer.concat([gzipSync(TAR.subarray(0, 999)), gzipSync(TAR.subarray(999))]),
  ].entries()) {
    for (const programs of [PROGRAMS, NO_PROGRAMS]) {
      await using store = await openLayerStore(folder.join(`${index}${programs === PROGRAMS}`), programs)
      const sealed = await Promise.all([1, 2, 3].map(() => applyBytes(store, bytes, DIFF)))
      assert.deepEqual(
        new Set(sealed.map(({ id, chain }) => `${id} ${chain}`)),
        new Set([`1 ${chainId(undefined, DIFF)}`]),
      )
      assert.equal(statSync(`${sealed[0]?.upper}/file`).size, 3_000_000)
    }
  }
})

async function applyBytes(
  store: LayerStore,
  bytes: Buffer,
  diffId: DiffId,
  signal?: AbortSignal,
): Promise<SealedSnapshot> {
  const blob = await store.content.put(bytes, store.lease)
  return store.layers.apply({ ...blob, mediaType: MEDIA_TYPES.ociLayer }, diffId, undefined, store.lease, signal)
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

test('apply() of another diff id, of a blob cut short, or cancelled, leaves nothing', async () => {
  using folder = temporary()
  for (const programs of [PROGRAMS, NO_PROGRAMS]) {
    const root = folder.join(String(programs === PROGRAMS))
    await using store = await openLayerStore(root, programs)
    const packed = gzipSync(TAR)
    await assert.rejects(applyBytes(store, packed, parseDiffId(`sha256:${'0'.repeat(64)}`)), { kind: 'corrupt' })
    await assert.rejects(applyBytes(store, packed.subarray(0, 2000), DIFF), { kind: 'corrupt' })
    await assert.rejects(applyBytes(store, TAR.subarray(0, 2000), DIFF), { kind: 'corrupt' })
    await assert.rejects(applyBytes(store, packed, DIFF, AbortSignal.abort()), { kind: 'cancelled' })
    const stop = new AbortController()
    const stopped = applyBytes(store, packed, DIFF, stop.signal)
    setTimeout(() => stop.abort(), 1)
    const other = applyBytes(store, packed, DIFF)
    await Promise.allSettled([stopped])
    assert.equal((await other).chain, chainId(undefined, DIFF))
    await store.snapshots.settle()
    assert.deepEqual(readdirSync(`${root}/snapshots/trash`), [])
    assert.equal(readdirSync(`${root}/snapshots`).length, 2)
  }
})

test('restore() makes trees again that a power cut took, from the blobs that came', async () => {
  using folder = temporary()
  await using store = await openLayerStore(folder.path, PROGRAMS)
  const sealed = await applyBytes(store, gzipSync(TAR), DIFF)
  assert.deepEqual(await store.layers.restore([DIFF], store.lease), sealed)
  const { size, content } = await getLayer(store, sealed.chain)
  assert.deepEqual([size, content], [TAR.length, 3_000_000])
  store.snapshots.collector.sweep(new Set())
  assert.equal(await store.snapshots.find(sealed.chain), undefined)
  const again = await store.layers.restore([DIFF], store.lease)
  assert.equal(again?.chain, sealed.chain)
  assert.equal(statSync(`${again?.upper}/file`).size, 3_000_000)
  assert.equal(await store.layers.restore([DIFF, parseDiffId(`sha256:${'0'.repeat(64)}`)], store.lease), undefined)
})

const EDIT_ROUNDS = isSoak() ? 600 : 40

test('random edits through three layers: changes() is the plain comparison, and the layers give the same tree elsewhere', async () => {
  using folder = temporary()
  await using here = await openLayerStore(folder.join('here'), PROGRAMS)
  await using there = await openLayerStore(folder.join('there'), PROGRAMS)
  for (let round = 0; round < EDIT_ROUNDS; round += 1) {
    const dice = createDice(round)
    let [parent, copy]: (SealedSnapshot | undefined)[] = [undefined, undefined]
    for (let level = 0; level < 3; level += 1) {
      const active = await here.snapshots.prepare(`round ${round} level ${level}`, parent?.id, here.lease)
      const edits = async (root: string): Promise<void> => {
        for (let count = 0; count < 25; count += 1) editTree(root, dice)
        if (!parent) return
        const view = await here.snapshots.view(`view ${round} ${level}`, parent.id, here.lease)
        const expected = await whileMounted(view.mounts, folder.join('before'), (before) => compareTrees(before, root))
        assert.deepEqual(changeLines(await here.layers.changes(active.upper, parent.id)), expected, `round ${round}`)
      }
      await whileMounted(active.mounts, folder.join('root'), edits)
      parent = await seal(here.layers, await active.freeze(), parent, here.lease)
      copy = await carry(here, there, parent.chain, copy)
    }
    assert(parent && copy)
    const shown = await here.snapshots.view(`shown ${round}`, parent.id, here.lease)
    const again = await there.snapshots.view(`shown ${round}`, copy.id, there.lease)
    const facts = await whileMounted(shown.mounts, folder.join('root'), treeFacts)
    assert.deepEqual(await whileMounted(again.mounts, folder.join('root'), treeFacts), facts, `round ${round}`)
  }
})
