import { collect, EngineError, messageOf } from '#base'
import { configDigest, imageIdOf, isManifestType, parseAnyManifest, parseImageConfig } from '#oci'
import type { Descriptor, Manifest } from '#oci'
import type { BlobInfo } from '#store/content'
import type { Lease } from '#store/lease'
import type { SealedSnapshot } from '#store/snapshot'
import type { Ground } from './ground.ts'

/** A blob larger than this is no manifest. */
const MAX_MANIFEST = 4 << 20
const MAX_CONFIG = 16 << 20

/**
 * After a loss of records: manifests among the blobs whose config and layers are here too become images again, without
 * names, and their layers are unpacked. What was built here and never pushed cannot be known from blobs.
 */
export async function restoreImages(ground: Ground): Promise<void> {
  if (!ground.recordsLost) return
  await using lease = await ground.leases.open('restore images')
  for (const blob of await ground.content.list()) {
    const found = await readManifest(ground, blob)
    if (found) await restoreImage(ground, lease, found)
  }
}

interface Found {
  readonly manifest: Manifest
  readonly descriptor: Descriptor
}

async function readManifest({ content }: Ground, { digest, size }: BlobInfo): Promise<Found | undefined> {
  if (size > MAX_MANIFEST) return undefined
  try {
    const bytes = await collect(content.read(digest), MAX_MANIFEST)
    if (bytes[0] !== 0x7b) return undefined
    const mediaType: unknown = Object(JSON.parse(Buffer.from(bytes).toString('utf8'))).mediaType
    if (typeof mediaType !== 'string' || !isManifestType(mediaType)) return undefined
    const found = parseAnyManifest(bytes, mediaType)
    return found.kind === 'manifest' ? { manifest: found.manifest, descriptor: { mediaType, digest, size } } : undefined
  } catch (error) {
    if (error instanceof EngineError || error instanceof SyntaxError) return undefined
    throw error
  }
}

async function restoreImage(ground: Ground, lease: Lease, { manifest, descriptor }: Found): Promise<void> {
  const { content, images, layers, log } = ground
  if (!(await content.find(manifest.config.digest))) return
  try {
    const bytes = await collect(content.read(manifest.config.digest), MAX_CONFIG)
    const id = imageIdOf(bytes)
    const known = (await images.list()).find((image) => image.id === id)
    if (known?.manifests.some(({ digest }) => digest === descriptor.digest) === true) return
    const diffIds = parseImageConfig(bytes).rootfs.diff_ids
    let parent: SealedSnapshot | undefined
    for (const [index, layer] of manifest.layers.entries()) {
      const diffId = diffIds[index]
      if (diffId === undefined || !(await content.find(layer.digest))) return
      parent = await layers.apply(layer, diffId, parent, lease)
    }
    await images.create(bytes, { manifest: descriptor }, lease)
    if (!known) log.warn(`image ${configDigest(id)} was found among the blobs; its names are lost`)
  } catch (error) {
    log.warn(`manifest ${descriptor.digest} cannot be made an image again: ${messageOf(error)}`)
  }
}
