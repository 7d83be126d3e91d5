import { setXattr } from '#kernel'
import { NO_PROGRAMS, type PathOrigin, type TreeDifference } from '#store/layer'
import type { SealedSnapshot } from '#store/snapshot'
import { isSoak } from '#test/environment'
import { createDice, type Dice } from '#test/layer-maker'
import { type LayerStore, openLayerStore, whileMounted } from '#test/layer-store'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { editTree } from '#test/tree-edits'
import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'node:test'

ownMountNamespace()

const ROUNDS = isSoak() ? 300 : 12
const TIME = new Date('2026-01-02T03:04:05Z')

interface Scene {
  readonly store: LayerStore
  readonly mountAt: string
}

async function addLayer(
  { store, mountAt }: Scene,
  parent: SealedSnapshot | undefined,
  edit: (root: string) => void,
): Promise<SealedSnapshot> {
  const key = `layer ${Math.random()}`
  const active = await store.snapshots.prepare(key, parent?.id, store.lease)
  await whileMounted(active.mounts, mountAt, edit)
  const frozen = await active.freeze()
  return store.layers.adopt(frozen, parent?.chain, await store.layers.diff(frozen, store.lease))
}

async function shown<T>({ store, mountAt }: Scene, layer: SealedSnapshot, use: (root: string) => T): Promise<T> {
  const view = await store.snapshots.view(`view ${Math.random()}`, layer.id, store.lease)
  try {
    return await whileMounted(view.mounts, mountAt, use)
  } finally {
    await store.snapshots.remove(view.key)
  }
}

async function differences(
  { store }: Scene,
  before: SealedSnapshot | undefined,
  after: SealedSnapshot | undefined,
  times = false,
): Promise<readonly TreeDifference[]> {
  return Array.fromAsync(store.layers.compare({ before: before?.chain, after: after?.chain, times }))
}

const lineOf = ({ kind, path, facets }: TreeDifference): string => [kind, path, ...facets].join(' ')

/** Every path of a tree with all that tells it from another. */
function listTree(root: string): Map<string, Readonly<Record<string, string>>> {
  const found = new Map<string, Readonly<Record<string, string>>>()
  const visit = (path: string): void => {
    const at = `${root}${path}`
    const stat = lstatSync(at)
    found.set(path === '' ? '/' : path, {
      type: String(stat.mode & 0o170000),
      content: stat.isFile() ? readFileSync(at, 'latin1') : stat.isSymbolicLink() ? readlinkSync(at) : '',
      mode: String(stat.mode & 0o7777),
      owner: `${stat.uid}:${stat.gid}`,
    })
    if (stat.isDirectory()) for (const name of readdirSync(at).toSorted()) visit(`${path}/${name}`)
  }
  visit('')
  return found
}

/** The plain definition: look at every path of both trees. */
function naiveDifferences(before: ReturnType<typeof listTree>, after: ReturnType<typeof listTree>): readonly string[] {
  const lines: string[] = []
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [then, now] = [before.get(path), after.get(path)]
    if (!then || !now) lines.push(`${then ? 'removed' : 'added'} ${path}`)
    else if (then['type'] !== now['type']) lines.push(`changed ${path} type`)
    else {
      const facets = ['content', 'mode', 'owner'].filter((name) => then[name] !== now[name])
      if (facets.length > 0) lines.push(`changed ${path} ${facets.join(' ')}`)
    }
  }
  return lines.toSorted()
}

async function randomStack(scene: Scene, base: SealedSnapshot | undefined, dice: Dice): Promise<SealedSnapshot> {
  let top = base
  for (let layers = 1 + dice.below(3); layers > 0; layers -= 1) {
    top = await addLayer(scene, top, (root) => {
      for (let edits = dice.below(12); edits >= 0; edits -= 1) editTree(root, dice)
    })
  }
  assert(top)
  return top
}

test('two random stacks of layers differ as their merged trees do', async (context) => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  await using store = await openLayerStore(folder.join('store'), NO_PROGRAMS)
  const scene: Scene = { store, mountAt: folder.join('root') }
  let seen = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const dice = createDice(7_000 + round)
    const base = dice.chance(0.8) ? await randomStack(scene, undefined, dice) : undefined
    const before = await randomStack(scene, base, dice)
    const after = await randomStack(scene, dice.chance(0.2) ? undefined : base, dice)
    const trees = [await shown(scene, before, listTree), await shown(scene, after, listTree)] as const
    const found = await differences(scene, before, after)
    assert.deepEqual(found.map(lineOf).toSorted(), naiveDifferences(...trees), `seed ${7_000 + round}`)
    assert.deepEqual(await differences(scene, after, after), [])
    await checkOrigins(scene, after, trees[1])
    seen += found.length
  }
  context.diagnostic(`${seen} differences in ${ROUNDS} pairs`)
  assert(seen > ROUNDS, 'the trees hardly differ')
  await leftovers.assertNothingLeft()
})

/** What is seen has an origin, what is hidden has none, and every byte of every layer is one or the other. */
async function checkOrigins({ store }: Scene, top: SealedSnapshot, tree: ReturnType<typeof listTree>): Promise<void> {
  const origins = await Array.fromAsync(store.layers.origins(top.chain, []))
  const seen = origins.filter(({ layer }) => layer !== undefined).map(({ path }) => path)
  assert.deepEqual(seen.toSorted(), [...tree.keys()].filter((path) => path !== '/').toSorted())
  const roots = await store.snapshots.lowers(top.id)
  const files = roots.map((root) => [...listTree(root).values()].filter(({ type }) => type === String(0o100000)))
  const bytes = files.flat().reduce((sum, { content }) => sum + (content?.length ?? 0), 0)
  const sizes = origins.flatMap(({ size, hidden }) => [size ?? 0, ...hidden.map((entry) => entry.size)])
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    bytes,
  )
}

test('equal times prove nothing, unequal ones count only where they are asked for', async () => {
  using folder = temporary()
  await using store = await openLayerStore(folder.join('store'), NO_PROGRAMS)
  const scene: Scene = { store, mountAt: folder.join('root') }
  const write = (name: string, text: string, time: Date) => (root: string) => {
    writeFileSync(`${root}/${name}`, text)
    utimesSync(`${root}/${name}`, time, time)
  }
  const base = await addLayer(scene, undefined, write('file', 'old', TIME))
  const sameTime = await addLayer(scene, base, write('file', 'new', TIME))
  const later = await addLayer(scene, base, write('file', 'old', new Date(TIME.getTime() + 1000)))
  assert.deepEqual((await differences(scene, base, sameTime)).map(lineOf), ['changed /file content'])
  assert.deepEqual(await differences(scene, base, later), [])
  assert.deepEqual((await differences(scene, base, later, true)).map(lineOf), ['changed /file time'])
})

test('kinds, targets, owners and xattrs are told apart; a tree against nothing is all added', async () => {
  using folder = temporary()
  await using store = await openLayerStore(folder.join('store'), NO_PROGRAMS)
  const scene: Scene = { store, mountAt: folder.join('root') }
  const base = await addLayer(scene, undefined, (root) => {
    mkdirSync(`${root}/tree/inner`, { recursive: true })
    for (const name of ['tree/inner/x', 'owned', 'noted', 'plain']) writeFileSync(`${root}/${name}`, name)
    symlinkSync('plain', `${root}/link`)
  })
  const top = await addLayer(scene, base, (root) => {
    rmSync(`${root}/tree`, { recursive: true })
    writeFileSync(`${root}/tree`, 'a file now')
    chownSync(`${root}/owned`, 1000, 1000)
    chmodSync(`${root}/owned`, 0o4755)
    setXattr(`${root}/noted`, 'user.note', Buffer.from('x'))
    rmSync(`${root}/link`)
    symlinkSync('owned', `${root}/link`)
    chmodSync(root, 0o700)
  })
  const found = await differences(scene, base, top)
  assert.deepEqual(found.map(lineOf), [
    'changed / mode',
    'changed /link content',
    'changed /noted xattrs',
    'changed /owned mode owner',
    'changed /tree type',
    'removed /tree/inner',
    'removed /tree/inner/x',
  ])
  const owned = found.find(({ path }) => path === '/owned')
  assert.deepEqual(owned?.after, { type: 'file', size: 5, mode: 0o4755, uid: 1000, gid: 1000 })
  assert.deepEqual(found.find(({ path }) => path === '/link')?.before?.link, 'plain')
  const added = await differences(scene, undefined, base)
  assert.deepEqual([...new Set(added.map(({ kind }) => kind))], ['added'])
  assert.equal(added.length, 8)
  await assert.rejects(differences(scene, { ...base, chain: 'sha256:no' as typeof base.chain }, top), {
    kind: 'not-found',
  })
})

test('origins tell who hides what, of the paths that are asked for', async () => {
  using folder = temporary()
  await using store = await openLayerStore(folder.join('store'), NO_PROGRAMS)
  const scene: Scene = { store, mountAt: folder.join('root') }
  const one = await addLayer(scene, undefined, (root) => {
    mkdirSync(`${root}/etc`)
    writeFileSync(`${root}/etc/conf`, 'one')
    writeFileSync(`${root}/big`, 'x'.repeat(1000))
  })
  const two = await addLayer(scene, one, (root) => writeFileSync(`${root}/etc/conf`, 'two!'))
  const three = await addLayer(scene, two, (root) => {
    rmSync(`${root}/big`)
    writeFileSync(`${root}/etc/more`, 'm')
  })
  const ask = async (...paths: string[]): Promise<readonly PathOrigin[]> =>
    Array.fromAsync(store.layers.origins(three.chain, paths))
  const conf: PathOrigin = {
    path: '/etc/conf',
    hidden: [{ layer: 0, by: 1, type: 'file', size: 3 }],
    layer: 1,
    type: 'file',
    size: 4,
  }
  assert.deepEqual(await ask(), [
    { path: '/big', hidden: [{ layer: 0, by: 2, type: 'file', size: 1000 }] },
    { path: '/etc', hidden: [], layer: 0, type: 'directory', size: 0 },
    conf,
    { path: '/etc/more', hidden: [], layer: 2, type: 'file', size: 1 },
  ])
  assert.deepEqual(await ask('/etc/conf', '/nosuch'), [conf])
  assert.deepEqual((await ask('/etc')).length, 3)
})

test('a reader that leaves early ends the comparison', async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using store = await openLayerStore(folder.join('store'), NO_PROGRAMS)
    const scene: Scene = { store, mountAt: folder.join('root') }
    const many = await addLayer(scene, undefined, (root) => {
      for (let index = 0; index < 3000; index += 1) writeFileSync(`${root}/file-${index}`, '')
    })
    for await (const { path } of store.layers.compare({ before: undefined, after: many.chain, times: false })) {
      if (path !== '/') break
    }
    const stop = AbortSignal.abort()
    await assert.rejects(Array.fromAsync(store.layers.origins(many.chain, [], stop)), { kind: 'cancelled' })
  }
  await leftovers.assertNothingLeft()
})
