import { formatTime, shortId, throwIfCancelled, type Bytes } from '#base'
import { decompress } from '#archive'
import {
  formatImageConfig,
  hostPlatform,
  MEDIA_TYPES,
  parseDiffId,
  type Descriptor,
  type DiffId,
  type ImageConfig,
} from '#oci'
import type { Image } from '#store/image'
import type { Lease } from '#store/lease'
import { emitId, type TransferContext } from './context.ts'
import type { ImportOptions } from './types.ts'

/** The plain tar is kept as the layer's blob: its bytes are whose digest the image has. */
export async function importRoot(context: TransferContext, bytes: Bytes, options: ImportOptions): Promise<Image> {
  const { name, signal, changes = (config) => config } = options
  await using lease = await context.leases.open('import')
  const { layer, diffId } = await receive(context, decompress(bytes, context.filters), { lease, signal })
  await context.layers.apply(layer, diffId, undefined, lease, signal)
  throwIfCancelled(signal, 'import')
  const created = formatTime(context.clock.nanoseconds())
  const { message = 'Imported from -' } = options
  const config: ImageConfig = {
    ...(options.platform ?? hostPlatform()),
    created,
    config: changes({}),
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, comment: message }],
    other: { comment: message },
  }
  const { id } = await context.images.create(formatImageConfig(config), {}, lease)
  if (name) await context.images.tag(name, id)
  emitId(context, 'import', id)
  return await context.images.open(id)
}

async function receive(
  { content }: TransferContext,
  plain: Bytes,
  { lease, signal }: { readonly lease: Lease; readonly signal: AbortSignal | undefined },
): Promise<{ readonly layer: Descriptor; readonly diffId: DiffId }> {
  await using ingest = await content.begin(`import ${shortId()}`, lease, { resume: false })
  for await (const chunk of plain) {
    throwIfCancelled(signal, 'import')
    await ingest.write(chunk)
  }
  const blob = await ingest.commit()
  return { layer: { mediaType: MEDIA_TYPES.ociLayer, ...blob }, diffId: parseDiffId(blob.digest) }
}
