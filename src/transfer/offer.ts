import { collect } from '#base'
import { digestOf, parseManifest, type Descriptor, type ImageId } from '#oci'
import type { Lease } from '#store/lease'
import type { TransferContext } from './context.ts'
import { holdImage, makeManifest } from './manifest.ts'

const MAX_MANIFEST = 4 << 20

/** See `Transfer.manifestFor`. */
export async function manifestFor(
  context: TransferContext,
  id: ImageId,
  { lease, signal }: { readonly lease: Lease; readonly signal: AbortSignal | undefined },
): Promise<Descriptor> {
  lease.hold({ kind: 'image', id })
  const image = await context.images.open(id)
  holdImage(lease, image)
  for (const known of image.manifests) if (await isWhole(context, known, lease)) return known
  const { bytes, manifest } = await makeManifest(context, image, { lease, signal })
  return { mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.length }
}

async function isWhole(
  { content }: TransferContext,
  { digest, mediaType }: Descriptor,
  lease: Lease,
): Promise<boolean> {
  if ((await content.find(digest)) === undefined) return false
  const { config, layers } = parseManifest(await collect(content.read(digest), MAX_MANIFEST), mediaType)
  for (const blob of [config, ...layers]) {
    lease.hold({ kind: 'blob', id: blob.digest })
    if ((await content.find(blob.digest)) === undefined) return false
  }
  return true
}
