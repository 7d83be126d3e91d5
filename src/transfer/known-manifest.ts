import { collect, isKind } from '#base'
import { layerCompression, parseManifest, type Descriptor, type Manifest } from '#oci'
import type { Image } from '#store/image'
import type { KnownManifest } from './manifest.ts'
import { refetch } from './refetch.ts'
import type { Push } from './upload.ts'

const MAX_MANIFEST = 4 << 20

/**
 * The newest manifest that the image is known by and whose layers can all be had: it keeps its digest. A layer that lay
 * unpacked here before the image was pulled was never fetched in the manifest's own form: it comes now.
 */
export async function findManifest(push: Push, image: Image): Promise<KnownManifest | undefined> {
  const { context, lease } = push
  for (const { digest, mediaType } of image.manifests) {
    if ((await context.content.find(digest)) === undefined) continue
    const bytes = await collect(context.content.read(digest), MAX_MANIFEST)
    const manifest = parseManifest(bytes, mediaType)
    if (!isWanted(push, manifest)) continue
    lease.hold(...manifest.layers.map((layer) => ({ kind: 'blob', id: layer.digest }) as const))
    const found = await Promise.all(manifest.layers.map((layer) => isWithinReach(push, image, layer)))
    if (found.every(Boolean)) return { manifest, bytes }
  }
  return undefined
}

/** Without a wish any form is welcome. */
function isWanted({ compression }: Push, { layers }: Manifest): boolean {
  return compression === undefined || layers.every(({ mediaType }) => layerCompression(mediaType) === compression)
}

/** Here, or there already, or in a repository that the image is known to have been in. */
async function isWithinReach(push: Push, image: Image, layer: Descriptor): Promise<boolean> {
  const { context, registry, name, credentials, lease, signal } = push
  if ((await context.content.find(layer.digest)) !== undefined) return true
  if (await registry.hasBlob(name.path, layer.digest, signal)) return true
  const names = image.names.filter((known) => known.digest !== undefined)
  const credentialsFor = (domain: string) => (domain === name.domain ? credentials : undefined)
  try {
    await refetch(context, layer, { names, credentialsFor, lease, signal })
    return true
  } catch (error) {
    if (isKind(error, 'not-found')) return false
    throw error
  }
}
