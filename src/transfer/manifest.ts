import { EngineError } from '#base'
import {
  chainIds,
  configDigest,
  digestOf,
  formatManifest,
  layerCompression,
  MEDIA_TYPES,
  type ChainId,
  type Descriptor,
  type Manifest,
} from '#oci'
import type { Image } from '#store/image'
import type { LayerRecord } from '#store/layer'
import type { Lease } from '#store/lease'
import type { TransferContext } from './context.ts'
import type { PushCompression } from './types.ts'

/** So that nothing goes away while the image is on its way, even if its record does. */
export function holdImage(lease: Lease, image: Image): void {
  lease.hold({ kind: 'image', id: image.id }, { kind: 'blob', id: image.id })
  for (const chain of chainIds(image.config.rootfs.diff_ids)) lease.hold({ kind: 'snapshot', id: chain })
  for (const { digest } of image.manifests) lease.hold({ kind: 'blob', id: digest })
}

export interface KnownManifest {
  readonly manifest: Manifest
  readonly bytes: Uint8Array
}

export interface MakeRequest {
  readonly lease: Lease
  readonly signal?: AbortSignal | undefined
  /** `gzip` unless given. */
  readonly form?: PushCompression | undefined
  /** Called as soon as a layer's blob is there, with the layer's place from the bottom; awaited at the end. */
  readonly packed?: (blob: Descriptor, index: number) => Promise<void>
}

/** An OCI manifest of the layers' blobs, packed now where there are none: as many at once as there are cores. */
export async function makeManifest(
  context: TransferContext,
  image: Image,
  request: MakeRequest,
): Promise<KnownManifest> {
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest: configDigest(image.id), size: image.configBytes.length }
  const layers = await packAll(context, image, request)
  const manifest: Manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers }
  const bytes = formatManifest(manifest)
  await context.content.put(bytes, request.lease)
  const descriptor = { mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.length }
  await context.images.addManifest(image.id, descriptor)
  return { manifest, bytes }
}

async function packAll(
  context: TransferContext,
  image: Image,
  { lease, form = 'gzip', packed, ...request }: MakeRequest,
): Promise<readonly Descriptor[]> {
  const layers = await Promise.all(
    chainIds(image.config.rootfs.diff_ids).map((chain) => findLayer(context, image, chain)),
  )
  const failed = new AbortController()
  const signal = request.signal ? AbortSignal.any([request.signal, failed.signal]) : failed.signal
  const blobs: Descriptor[] = []
  // the largest is begun first: it is what the end waits for
  const work = [...layers.entries()]
    .toSorted(([, a], [, b]) => b.size - a.size)
    .map(async ([index, layer]) => {
      const blob = await context.packing.run(() => context.layers.pack(layer, form, lease, signal), signal)
      blobs[index] = asOciLayer(blob)
      await packed?.(blobs[index], index)
    })
  await allOrFirstFailure(work, () => failed.abort())
  return blobs
}

async function findLayer(context: TransferContext, image: Image, chain: ChainId): Promise<LayerRecord> {
  const layer = await context.layers.find(chain)
  if (!layer) throw new EngineError('corrupt', `cannot push image ${image.id}: its layer ${chain} is missing`)
  return layer
}

/** The same blob under the OCI name of its form. */
function asOciLayer({ digest, size, mediaType }: Descriptor): Descriptor {
  const names = { none: MEDIA_TYPES.ociLayer, gzip: MEDIA_TYPES.ociLayerGzip, zstd: MEDIA_TYPES.ociLayerZstd }
  return { mediaType: names[layerCompression(mediaType) ?? 'none'], digest, size }
}

/** Rejects with the first failure, but only after all have ended; `fail` may hasten their ends. */
export async function allOrFirstFailure(work: readonly Promise<void>[], fail?: () => void): Promise<void> {
  try {
    await Promise.all(work)
  } catch (error) {
    fail?.()
    throw error
  } finally {
    await Promise.allSettled(work)
  }
}
