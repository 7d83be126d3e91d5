import { mkdir, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { collect, EngineError, isKind, messageOf } from '#base'
import type { HubBlob } from '#hub'
import { digestOf, familiarReference, parseDigest, parseImageId, parseManifest } from '#oci'
import type { ChainId, Descriptor, Digest } from '#oci'
import type { ImageRecord } from '#store/image'
import type { LayerRecord } from '#store/layer'
import type { SnapshotState } from '#store/snapshot'
import type { CheckRun } from './check.ts'
import type { CheckedKind, Damage, Repair } from './check-types.ts'
import { chainsOf, containersOn, imagesOn, nameOf, repositoriesOf, takeWorld } from './check-world.ts'
import type { WantedBlob, World } from './check-world.ts'

type Outcome = Omit<Repair, 'damage'>

/** What tells where others are comes first. */
const ORDER: readonly CheckedKind[] = ['database', 'blob', 'layer', 'image', 'container', 'volume', 'leftover']

/** Mends one damage after the other: trees from the bottom up. A kill in between leaves what was not reached yet as it was. */
export async function* repairAll(run: CheckRun): AsyncIterable<Repair> {
  const world = await takeWorld(run.parts)
  for (const damage of sorted(run.damages, world)) {
    yield { damage, ...(await repairOne(run, damage)) }
  }
}

function sorted(damages: readonly Damage[], world: World): readonly Damage[] {
  const blobs = [...world.wanted.keys()]
  const trees = new Map(
    [...world.snapshots.values()].map((state) => [String(state.chain ?? state.id), Number(state.id)]),
  )
  const rank = ({ kind, id }: Damage): number => {
    if (kind === 'blob') return blobs.findIndex((digest) => digest === id)
    return kind === 'layer' ? (trees.get(id) ?? 0) : 0
  }
  return damages.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || rank(a) - rank(b))
}

async function repairOne(run: CheckRun, damage: Damage): Promise<Outcome> {
  try {
    return await repairKind(run, damage)
  } catch (error) {
    if (!(error instanceof EngineError) || isKind(error, 'cancelled')) throw error
    return { outcome: 'left', text: messageOf(error) }
  }
}

async function repairKind(run: CheckRun, damage: Damage): Promise<Outcome> {
  switch (damage.kind) {
    case 'blob':
      return repairBlob(run, parseDigest(damage.id))
    case 'layer':
      return repairLayer(run, damage)
    case 'image':
      return repairImage(run, damage)
    case 'container':
    case 'volume':
      return repairFolder(damage)
    case 'leftover':
      return removeLeftover(run, damage)
    case 'database':
      return repairDatabase(damage)
  }
}

async function repairBlob(run: CheckRun, digest: Digest): Promise<Outcome> {
  const world = await takeWorld(run.parts)
  const wanted = world.wanted.get(digest)
  if (wanted?.role === 'config' && (await restoreConfig(run, digest, wanted)))
    return healed('written again from memory')
  await run.parts.ground.content.discard(digest)
  try {
    const from = await refetch(run, world, { ...(await descriptorOf(run, world, digest)), digest })
    run.sound.add(digest)
    return healed(`fetched again from ${from}`)
  } catch (error) {
    if (isKind(error, 'cancelled') || !(error instanceof EngineError)) throw error
    return withoutBlob(run, { world, digest, wanted, why: messageOf(error) })
  }
}

function healed(text: string): Outcome {
  return { outcome: 'healed', text }
}

/** Configs that were read before are kept in memory. */
async function restoreConfig(run: CheckRun, digest: Digest, { images }: WantedBlob): Promise<boolean> {
  const { content, images: records } = run.parts.ground
  const [image] = images
  if (!image) return false
  try {
    const { configBytes } = await records.open(image.id)
    if (digestOf(configBytes) !== digest) return false
    await content.discard(digest)
    await content.put(configBytes, run.lease)
    run.sound.add(digest)
    return true
  } catch (error) {
    if (isKind(error, 'corrupt') || isKind(error, 'not-found')) return false
    throw error
  }
}

/** A config's size is told by a manifest, where its own record is gone. */
async function descriptorOf(run: CheckRun, world: World, digest: Digest): Promise<Descriptor> {
  const wanted = world.wanted.get(digest)
  const size = world.registry.get(digest)?.size ?? 0
  const known = wanted?.descriptor ?? { mediaType: 'application/octet-stream', digest, size }
  if (known.size > 0) return known
  const { content } = run.parts.ground
  for (const { digest: manifest, mediaType } of wanted?.images.flatMap((image) => image.manifests) ?? []) {
    if (!(await content.find(manifest))) continue
    const { config } = parseManifest(await collect(content.read(manifest), 4 << 20), mediaType)
    if (config.digest === digest) return config
  }
  return known
}

async function refetch(run: CheckRun, world: World, blob: Descriptor): Promise<string> {
  const { transfer } = run.parts
  const names = repositoriesOf(world.wanted.get(blob.digest)?.images ?? [])
  const { credentialsFor, signal } = run.options
  return transfer.refetch(blob, { names, credentialsFor, lease: run.lease, signal })
}

interface LostBlob {
  readonly world: World
  readonly digest: Digest
  readonly wanted: WantedBlob | undefined
  readonly why: string
}

/** Nobody has it: what can be done without it. */
async function withoutBlob(run: CheckRun, { world, digest, wanted, why }: LostBlob): Promise<Outcome> {
  const { images: records } = run.parts.ground
  const images = wanted?.images ?? []
  switch (wanted?.role ?? 'other') {
    case 'config':
      return dropImages(run, images, why)
    case 'manifest':
      for (const image of images) await records.forgetManifest(image.id, digest)
      return { outcome: 'dropped', text: `${why}; the manifest is forgotten, a push makes another one` }
    case 'layer':
      return withoutLayerBlob(run, { world, digest, wanted, why })
    case 'other':
      return { outcome: 'dropped', text: `${why}; ${withoutRegistryBlob(world.registry.get(digest))}` }
  }
}

function withoutRegistryBlob(blob: HubBlob | undefined): string {
  if (!blob) return 'nothing of an image needs it'
  const names = blob.names.join(', ')
  if (blob.isCached) return `${names} is kept again when it is asked for`
  return `${names} cannot be pulled from the own registry until it is pushed again`
}

/** A layer made here can be packed again whenever somebody needs the blob; of one that came as a blob the tree stays in use. */
function withoutLayerBlob({ parts }: CheckRun, { world, digest, wanted, why }: LostBlob): Outcome {
  const mine = world.layers.filter((layer) => layer.blobs.some((blob) => blob.digest === digest))
  if (mine.length > 0 && mine.every((layer) => layer.rules !== undefined)) {
    parts.ground.layers.forgetBlob(digest)
    return { outcome: 'dropped', text: 'the packed copy of a layer made here: a push packs it again' }
  }
  const names = (wanted?.images ?? []).map(nameOf).join(', ')
  return { outcome: 'left', text: `${why}; ${names} can be run but not pushed or saved: load or pull it again` }
}

async function repairLayer(run: CheckRun, damage: Damage): Promise<Outcome> {
  const world = await takeWorld(run.parts)
  const tree = [...world.snapshots.values()].find((state) => (state.chain ?? state.id) === damage.id)
  if (!tree || tree.damage === undefined) return healed('it is gone, or was made again meanwhile')
  const layer = world.layers.find((known) => known.snapshot === tree.id)
  if (layer && (await mend(run, world, layer))) return healed('unpacked again')
  const images = imagesOn(world, tree.id)
  for (const image of images) {
    if (await remake(run, image, tree.chain)) return healed(`made again with ${nameOf(image)}`)
  }
  return dropLayer(run, world, tree)
}

/** From its blob, which is fetched again where it is not there. */
async function mend(run: CheckRun, world: World, layer: LayerRecord): Promise<boolean> {
  const { content } = run.parts.ground
  const { lease, verifier, sound } = run
  for (const blob of layer.blobs) {
    if (sound.has(blob.digest) && (await content.find(blob.digest))) break
    if (await content.find(blob.digest)) continue
    try {
      await refetch(run, world, blob)
      sound.add(blob.digest)
    } catch (error) {
      if (!(error instanceof EngineError) || isKind(error, 'cancelled')) throw error
    }
  }
  const isSound = (digest: Digest): boolean => sound.has(digest)
  const state = await verifier.verify(layer, { lease, isSound, mend: true, signal: run.options.signal })
  if (state.kind === 'whole') run.parts.ground.snapshots.clear(layer.snapshot)
  return state.kind === 'whole' || (state.kind === 'damaged' && state.mended)
}

/** The whole image, from blobs that are here or from where it came. */
async function remake(run: CheckRun, image: ImageRecord, chain: ChainId | undefined): Promise<boolean> {
  const { transfer, ground } = run.parts
  const isThere = async (): Promise<boolean> =>
    chain === undefined || (await ground.snapshots.find(chain)) !== undefined
  try {
    const { config } = await ground.images.open(image.id)
    await ground.layers.restore(config.rootfs.diff_ids, run.lease, run.options.signal)
    if (await isThere()) return true
    for (const name of image.names.filter(({ digest }) => digest !== undefined)) {
      const credentials = run.options.credentialsFor?.(name.domain)
      await transfer.pull(name, { signal: run.options.signal, ...(credentials && { credentials }) })
      if (await isThere()) return true
    }
  } catch (error) {
    if (!(error instanceof EngineError) || isKind(error, 'cancelled')) throw error
  }
  return isThere()
}

async function dropLayer(run: CheckRun, world: World, tree: SnapshotState): Promise<Outcome> {
  const { builds } = run.parts
  const above = [...world.snapshots.values()].filter((state) => imagesOrSelf(world, state, tree))
  const chains = new Set(above.flatMap(({ chain }) => (chain === undefined ? [] : [chain])))
  const records = builds.forget(chains)
  const images = await removeImages(run, imagesOn(world, tree.id))
  const broken = containersOn(world, tree.id).map(({ name }) => name)
  const text = [
    'it cannot be had again',
    ...images,
    ...(records > 0 ? [`${records} records of the build cache are gone`] : []),
    ...broken.map((name) => `container ${name} cannot be started any more: mica rm -f ${name}`),
  ]
  return { outcome: broken.length > 0 ? 'left' : 'dropped', text: text.join('; ') }
}

/** True where `state` is the tree or stands on it. */
function imagesOrSelf({ snapshots }: World, state: SnapshotState, tree: SnapshotState): boolean {
  for (let at: SnapshotState | undefined = state; at; at = at.parent && snapshots.get(at.parent)) {
    if (at.id === tree.id) return true
  }
  return false
}

async function dropImages(run: CheckRun, images: readonly ImageRecord[], why: string): Promise<Outcome> {
  return { outcome: 'dropped', text: [why, ...(await removeImages(run, images))].join('; ') }
}

async function removeImages({ parts }: CheckRun, images: readonly ImageRecord[]): Promise<readonly string[]> {
  const said: string[] = []
  for (const { id, names } of images) {
    for (const name of names) await parts.ground.images.untag(name)
    await parts.ground.images.remove(id)
    said.push(`image ${[...names.map(familiarReference), id].join(', ')} is dropped`)
  }
  return said
}

async function repairImage(run: CheckRun, damage: Damage): Promise<Outcome> {
  const image = (await run.parts.ground.images.list()).find(({ id }) => id === parseImageId(damage.id))
  if (!image) return healed('it is gone')
  if (await remake(run, image, image.chain)) return healed('its layers were unpacked again')
  const chains = await chainsOf(run.parts.ground, image.id).catch(() => [])
  run.parts.builds.forget(new Set(chains.slice(-1)))
  return dropImages(run, [image], 'its layers cannot be had again')
}

async function repairFolder({ kind, path, cure }: Damage): Promise<Outcome> {
  if (path === undefined) return { outcome: 'left', text: cure }
  await mkdir(path, { recursive: true, mode: kind === 'volume' ? 0o755 : 0o710 })
  return { outcome: 'dropped', text: 'what was in it is lost; it is empty now' }
}

/** The daemon has taken over what it could when it started. */
async function repairDatabase({ id, path, cure }: Damage): Promise<Outcome> {
  if (path === undefined || id === 'engine.db') return { outcome: 'left', text: cure }
  for (const suffix of ['', '-wal', '-shm']) await rm(`${path}${suffix}`, { force: true })
  return healed('the one that took its place holds together; the damaged file is removed')
}

async function removeLeftover({ parts }: CheckRun, { id, cure }: Damage): Promise<Outcome> {
  if (id.startsWith('lost-')) return { outcome: 'left', text: cure }
  const { content, snapshots } = parts.ground
  if (id.startsWith('snapshots/')) await snapshots.removeStray(basename(id))
  else await content.removeStray(basename(id))
  return { outcome: 'dropped', text: 'removed: nothing needs it' }
}
