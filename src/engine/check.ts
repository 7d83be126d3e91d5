import { availableParallelism } from 'node:os'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { conflict, createLimiter, isKind, sleep, throwIfCancelled } from '#base'
import { hexOf } from '#oci'
import type { Digest } from '#oci'
import { createLayerVerifier } from '#store/layer'
import type { LayerRecord, LayerState, LayerVerifier } from '#store/layer'
import type { Lease } from '#store/lease'
import type { SnapshotState } from '#store/snapshot'
import { repairAll } from './check-repair.ts'
import { containersOn, imagesOn, nameOf, takeWorld } from './check-world.ts'
import type { CheckParts, World } from './check-world.ts'
import type { CheckOptions, CheckSummary, Damage, RepairOutcome } from './check-types.ts'

/** What the steps of one check share. */
export interface CheckRun {
  readonly parts: CheckParts
  readonly options: CheckOptions
  readonly lease: Lease
  readonly verifier: LayerVerifier
  readonly damages: Damage[]
  /** Blobs that were read and have their digest. */
  readonly sound: Set<Digest>
  bytes: number
  found(damage: Damage): void
}

/** Bulk work of others goes on beside it. */
const AT_ONCE = Math.max(1, Math.min(3, availableParallelism() - 1))

const CURE = 'mica system check --repair'

/** One check at a time; `conflict` for a second one. The store can be used meanwhile. */
export function createStoreCheck(parts: CheckParts): (options: CheckOptions) => Promise<CheckSummary> {
  let running = false
  return async (options) => {
    if (running) throw conflict('cannot check the store: a check is under way already')
    running = true
    try {
      return await check(parts, options)
    } finally {
      running = false
    }
  }
}

async function check(parts: CheckParts, options: CheckOptions): Promise<CheckSummary> {
  const { ground } = parts
  const begun = ground.clock.nanoseconds()
  await using lease = await ground.leases.open('system check')
  options.report({ kind: 'begun' })
  const run = startRun(parts, options, lease)
  await checkDatabase(run)
  const world = await takeWorld(parts)
  await checkBlobs(run, world)
  await checkLayers(run, world)
  await checkRecords(run, world)
  await checkLeftovers(run)
  const counts = { healed: 0, dropped: 0, left: 0 }
  if (options.repair) {
    for await (const repair of repairAll(run)) {
      counts[repair.outcome satisfies RepairOutcome] += 1
      options.report({ kind: 'repair', repair })
    }
    parts.collectSoon()
  } else {
    counts.left = run.damages.length
  }
  return {
    blobs: world.blobs.size,
    layers: world.layers.length,
    images: world.images.length,
    containers: world.containers.length,
    volumes: (await parts.volumes.list()).length,
    bytes: run.bytes,
    seconds: Number(ground.clock.nanoseconds() - begun) / 1e9,
    damages: run.damages.length,
    ...counts,
  }
}

function startRun(parts: CheckParts, options: CheckOptions, lease: Lease): CheckRun {
  const damages: Damage[] = []
  const { database, content, snapshots, pool: jobs, programs } = parts.ground
  return {
    parts,
    options,
    lease,
    verifier: createLayerVerifier({ database, content, snapshots, jobs, programs }),
    damages,
    sound: new Set(),
    bytes: 0,
    found(damage) {
      damages.push(damage)
      options.report({ kind: 'damage', damage })
    },
  }
}

async function checkDatabase(run: CheckRun): Promise<void> {
  const { database, pool, config } = run.parts.ground
  const path = join(config.dataRoot, 'engine.db')
  const cure = 'mica daemon stop, then start it again: it puts the damaged file aside and takes over what can be read'
  await database.flush()
  const problems = await pool.run<string, readonly string[]>('db.examine', path, { signal: run.options.signal })
  for (const what of problems) run.found({ kind: 'database', id: 'engine.db', path, what, usedBy: [], cure })
  for (const id of await readdir(config.dataRoot)) {
    const facts = { id, path: join(config.dataRoot, id), usedBy: [] }
    if (/^engine\.db\.damaged-.*Z$/.test(id)) {
      run.found({ kind: 'database', ...facts, what: 'was damaged and put aside when the daemon started', cure: CURE })
    } else if (/^lost-\d+$/.test(id)) {
      const removal = `take from it what you need, then rm -r ${facts.path}`
      run.found({
        kind: 'leftover',
        ...facts,
        what: 'holds trees whose records were lost with the database',
        cure: removal,
      })
    }
  }
}

async function checkBlobs(run: CheckRun, world: World): Promise<void> {
  const { signal, report } = run.options
  const limiter = createLimiter(AT_ONCE)
  const pushed = [...world.registry.values()].filter(({ isCached }) => !isCached)
  const all = new Set([...world.wanted.keys(), ...world.blobs.keys(), ...pushed.map(({ digest }) => digest)])
  let done = 0
  await Promise.all(
    [...all].map((digest) =>
      limiter.run(async () => {
        await checkBlob(run, world, digest)
        report({ kind: 'progress', of: 'blobs', done: (done += 1), total: all.size })
      }, signal),
    ),
  )
}

async function checkBlob(run: CheckRun, world: World, digest: Digest): Promise<void> {
  const { content, config } = run.parts.ground
  throwIfCancelled(run.options.signal, 'check of the store')
  const what = world.blobs.has(digest) ? await content.check(digest, run.options.signal) : 'it is missing'
  // taken away meanwhile by a collection
  if (what !== undefined && world.blobs.has(digest) && !(await content.find(digest))) return
  if (what === undefined) {
    run.sound.add(digest)
    run.bytes += world.blobs.get(digest)?.size ?? 0
    return
  }
  const inRegistry = (world.registry.get(digest)?.names ?? []).map((name) => `${name} in the own registry`)
  const usedBy = [...(world.wanted.get(digest)?.images ?? []).map(nameOf), ...inRegistry]
  const path = join(config.dataRoot, BLOBS, hexOf(digest))
  run.found({ kind: 'blob', id: digest, path, what, usedBy, cure: CURE })
}

async function checkLayers(run: CheckRun, world: World): Promise<void> {
  const { signal, report } = run.options
  const limiter = createLimiter(AT_ONCE)
  let done = 0
  const total = world.layers.length
  await Promise.all(
    world.layers.map((layer) =>
      limiter.run(async () => {
        await checkLayer(run, world, layer)
        report({ kind: 'progress', of: 'layers', done: (done += 1), total })
      }, signal),
    ),
  )
  const known = new Set(world.layers.map((layer) => layer.snapshot))
  for (const state of world.snapshots.values()) {
    if (state.chain !== undefined && !known.has(state.id)) foundTree(run, world, state, 'it has no record of its layer')
  }
}

async function checkLayer(run: CheckRun, world: World, layer: LayerRecord): Promise<void> {
  const { snapshots } = run.parts.ground
  throwIfCancelled(run.options.signal, 'check of the store')
  const state = await stateOf(run, layer)
  const tree = world.snapshots.get(layer.snapshot)
  if (!state || !tree) return
  if (state.kind === 'whole') {
    run.bytes += state.bytes
    if (tree.damage !== undefined) snapshots.clear(tree.id)
  } else if (state.kind === 'damaged') foundTree(run, world, tree, state.why)
  else if (tree.damage !== undefined) foundTree(run, world, tree, tree.damage)
}

/** Undefined for a tree that went meanwhile. */
async function stateOf(run: CheckRun, layer: LayerRecord): Promise<LayerState | undefined> {
  const isSound = (digest: Digest): boolean => run.sound.has(digest)
  try {
    return await run.verifier.verify(layer, {
      lease: run.lease,
      isSound,
      mend: false,
      signal: run.options.signal,
    })
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined
    throw error
  }
}

/** Marked at once: from now on nothing runs on it. */
function foundTree(run: CheckRun, world: World, tree: SnapshotState, what: string): void {
  run.parts.ground.snapshots.mark(tree.id, what)
  const images = imagesOn(world, tree.id).map(nameOf)
  const containers = containersOn(world, tree.id).map(({ name }) => name)
  run.found({
    kind: 'layer',
    id: tree.chain ?? tree.id,
    ...(tree.folder !== undefined && { path: tree.folder }),
    what,
    usedBy: [...images, ...containers.map((name) => `container ${name}`)],
    cure: CURE,
  })
}

async function checkRecords(run: CheckRun, world: World): Promise<void> {
  const chains = new Set([...world.snapshots.values()].map((state) => state.chain))
  for (const image of world.images) {
    if (image.chain === undefined || chains.has(image.chain)) continue
    const what = `its layers ${image.chain} are missing`
    run.found({ kind: 'image', id: image.id, what, usedBy: [nameOf(image)], cure: CURE })
  }
  await checkContainers(run, world)
  for (const volume of await run.parts.volumes.list()) {
    if (existsSync(volume.mountpoint)) continue
    const usedBy = run.parts.volumes.users(volume.name)
    const facts = { id: volume.name, path: volume.mountpoint, what: 'its folder is missing', usedBy, cure: CURE }
    run.found({ kind: 'volume', ...facts })
  }
}

async function checkContainers(run: CheckRun, world: World): Promise<void> {
  const roots = new Map([...world.snapshots.values()].map((state) => [state.key, state]))
  for (const { id, name } of world.containers) {
    const root = roots.get(id)
    const isWhole = root?.folder !== undefined && existsSync(root.folder)
    const usedBy = [`container ${name}`]
    const cure = `mica rm -f ${name}: its own files cannot be had again`
    if (!isWhole) run.found({ kind: 'container', id, what: 'its writable layer is missing', usedBy, cure })
    const folder = join(run.parts.ground.config.dataRoot, 'containers', id)
    if (existsSync(folder)) continue
    run.found({ kind: 'container', id, path: folder, what: 'its folder is missing', usedBy, cure: CURE })
  }
}

/** Longer than between a file and its record, or a record that went and its files. Milliseconds. */
const SETTLED = 1000

/** What no record knows, now and a moment later. */
async function checkLeftovers(run: CheckRun): Promise<void> {
  await run.parts.ground.snapshots.settle()
  const before = await strays(run)
  if (before.length === 0) return
  await sleep(SETTLED, run.options.signal)
  const still = new Set(await strays(run))
  for (const id of before.filter((name) => still.has(name))) {
    const path = join(run.parts.ground.config.dataRoot, id)
    run.found({ kind: 'leftover', id, path, what: 'no record knows it', usedBy: [], cure: CURE })
  }
}

async function strays({ parts }: CheckRun): Promise<readonly string[]> {
  const { content, snapshots, config } = parts.ground
  const blobs = await readdir(join(config.dataRoot, BLOBS))
  const trees = (await readdir(join(config.dataRoot, 'snapshots'))).filter((name) => /^\d+$/.test(name))
  const digests = new Set((await content.list()).map(({ digest }) => hexOf(digest)))
  const ids = new Set<string>((await snapshots.list()).map(({ id }) => id))
  return [
    ...blobs.filter((name) => !digests.has(name)).map((name) => join(BLOBS, name)),
    ...trees.filter((name) => !ids.has(name)).map((name) => join('snapshots', name)),
  ]
}

const BLOBS = 'content/blobs/sha256'
