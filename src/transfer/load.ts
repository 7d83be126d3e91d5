import { abbreviate, type Bytes } from '#base'
import { decompress } from '#archive'
import { layerCompression, matchPlatform, parseImageConfig, type ImageConfig } from '#oci'
import type { Lease } from '#store/lease'
import { emitId, SILENT, type TransferContext } from './context.ts'
import { receiveArchive } from './archive-files.ts'
import { readArchiveImages, type ArchiveImage, type ArchiveLayer } from './archive-images.ts'
import { createEarlyTrees } from './early-trees.ts'
import { findStack, layersOf, stackUp, type Layer } from './layers.ts'
import type { LoadOptions, LoadOutcome, ProgressSink } from './types.ts'

interface Load {
  readonly context: TransferContext
  readonly lease: Lease
  readonly progress: ProgressSink
  readonly signal: AbortSignal | undefined
}

export async function loadImages(
  context: TransferContext,
  bytes: Bytes,
  options: LoadOptions = {},
): Promise<readonly LoadOutcome[]> {
  const { progress = SILENT, signal, platform } = options
  await using lease = await context.leases.open('load')
  const { content } = context
  const plain = decompress(bytes, context.filters)
  await using early = createEarlyTrees(context, { lease, signal })
  const files = await receiveArchive(plain, { content, lease, signal, arriving: (...of) => early.arriving(...of) })
  const load: Load = { context, lease, progress, signal }
  const outcomes: LoadOutcome[] = []
  for (const found of await readArchiveImages(files, content, platform)) {
    const config = parseImageConfig(found.configBytes)
    if (platform && !matchPlatform(platform, config)) continue
    outcomes.push(...(await loadImage(load, found, config)))
  }
  return outcomes
}

async function loadImage(load: Load, found: ArchiveImage, config: ImageConfig): Promise<readonly LoadOutcome[]> {
  const { context, lease } = load
  await applyLayers(load, found.layers, config)
  const manifest = isWorthKeeping(found) ? found.manifest : undefined
  if (manifest) await context.content.put(manifest.bytes, lease)
  const facts = manifest ? { manifest: manifest.descriptor } : {}
  const { id } = await context.images.create(found.configBytes, facts, lease)
  const named: LoadedName[] = []
  for (const name of found.names) {
    const before = await context.images.findByName(name)
    await context.images.tag(name, id, { quiet: true })
    named.push({ name, ...(before && before.id !== id && { replaced: before.id }) })
  }
  emitId(context, 'load', id, config.config.Labels)
  const image = await context.images.resolve(id)
  return named.length === 0 ? [{ image }] : named.map((one) => ({ image, ...one }))
}

type LoadedName = Required<Pick<LoadOutcome, 'name'>> & Pick<LoadOutcome, 'replaced'>

/** A manifest of plain tars is an archive's own form: what is pushed later had better be compressed. */
function isWorthKeeping({ layers }: ArchiveImage): boolean {
  return layers.every(({ descriptor }) => layerCompression(descriptor.mediaType) !== 'none')
}

/** Those that are unpacked here already are passed over. */
async function applyLayers(load: Load, layers: readonly ArchiveLayer[], config: ImageConfig): Promise<void> {
  const { context, lease, progress, signal } = load
  const diffIds = config.rootfs.diff_ids
  const descriptors = layers.map(({ descriptor }) => descriptor)
  const stack = await findStack(context, diffIds, { lease })
  const report = ({ diffId, descriptor: { size } }: Layer, current: number): void =>
    progress({ id: abbreviate(diffId), status: 'Loading layer', current, total: size })
  await stackUp(context, layersOf(descriptors, diffIds).slice(stack.height), {
    parent: stack.top,
    lease,
    signal,
    bring(layer, stop) {
      report(layer, 0)
      return context.layers.unpack(layer.descriptor, layer.diffId, lease, { signal: stop })
    },
    placed: (layer) => report(layer, layer.descriptor.size),
  })
}
