import { throwIfCancelled, type Bytes } from '#base'
import { decompress } from '#archive'
import { chainIds, layerCompression, parseImageConfig, type DiffId, type ImageConfig } from '#oci'
import type { Lease } from '#store/lease'
import type { SealedSnapshot } from '#store/snapshot'
import { emitId, SILENT, type TransferContext } from './context.ts'
import { receiveArchive } from './archive-files.ts'
import { readArchiveImages, type ArchiveImage, type ArchiveLayer } from './archive-images.ts'
import type { LoadOutcome, ProgressSink } from './types.ts'

interface Load {
  readonly context: TransferContext
  readonly lease: Lease
  readonly progress: ProgressSink
  readonly signal: AbortSignal | undefined
}

export async function loadImages(
  context: TransferContext,
  bytes: Bytes,
  options: { readonly progress?: ProgressSink; readonly signal?: AbortSignal } = {},
): Promise<readonly LoadOutcome[]> {
  const { progress = SILENT, signal } = options
  await using lease = await context.leases.open('load')
  const { content } = context
  const plain = decompress(bytes, context.filters)
  const files = await receiveArchive(plain, { content, lease, signal })
  const load: Load = { context, lease, progress, signal }
  const outcomes: LoadOutcome[] = []
  for (const found of await readArchiveImages(files, content)) outcomes.push(...(await loadImage(load, found)))
  return outcomes
}

async function loadImage(load: Load, found: ArchiveImage): Promise<readonly LoadOutcome[]> {
  const { context, lease } = load
  const config = parseImageConfig(found.configBytes)
  await applyLayers(load, found.layers, config)
  const manifest = isWorthKeeping(found) ? found.manifest : undefined
  if (manifest) await context.content.put(manifest.bytes, lease)
  const facts = manifest ? { manifest: manifest.descriptor } : {}
  const { id } = await context.images.create(found.configBytes, facts, lease)
  for (const name of found.names) await context.images.tag(name, id, { quiet: true })
  emitId(context, 'load', id, config.config.Labels)
  const image = await context.images.resolve(id)
  return found.names.length === 0 ? [{ image }] : found.names.map((name) => ({ image, name }))
}

/** A manifest of plain tars is an archive's own form: what is pushed later had better be compressed. */
function isWorthKeeping({ layers }: ArchiveImage): boolean {
  return layers.every(({ descriptor }) => layerCompression(descriptor.mediaType) !== 'none')
}

/** Those that are unpacked here already are passed over. */
async function applyLayers(load: Load, layers: readonly ArchiveLayer[], config: ImageConfig): Promise<void> {
  const { context, lease, progress, signal } = load
  const diffIds = config.rootfs.diff_ids
  const chains = chainIds(diffIds)
  let parent: SealedSnapshot | undefined
  for (const [index, layer] of layers.entries()) {
    throwIfCancelled(signal, 'load')
    const [chain, diffId] = [chains[index], diffIds[index]]
    if (chain === undefined || diffId === undefined) break
    lease.hold({ kind: 'snapshot', id: chain })
    const known = await context.snapshots.find(chain)
    parent = known ?? (await applyOne({ context, lease, progress, signal }, layer, { diffId, parent }))
  }
}

async function applyOne(
  { context, lease, progress, signal }: Load,
  layer: ArchiveLayer,
  { diffId, parent }: { readonly diffId: DiffId; readonly parent: SealedSnapshot | undefined },
): Promise<SealedSnapshot> {
  const id = diffId.slice('sha256:'.length, 'sha256:'.length + 12)
  const { size } = layer.descriptor
  progress({ id, status: 'Loading layer', current: 0, total: size })
  const sealed = await context.layers.apply(layer.descriptor, diffId, parent, lease, signal)
  progress({ id, status: 'Loading layer', current: size, total: size })
  return sealed
}
