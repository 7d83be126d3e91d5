import { collect, isKind } from '#base'
import { familiarName, parseDocument, parseNamed, type Digest, type Reference } from '#oci'
import type { ImageRecord } from '#store/image'
import type { HubParts, HubRequest, ManifestInfo } from './types.ts'

const MAX_MANIFEST = 4 << 20

type Held = Pick<HubRequest, 'lease' | 'signal'>

/**
 * The images of the store as repositories, by the names that people type: `busybox` is docker.io/library/busybox,
 * `quay.io/x/y` is itself. They can be read; what removes them is `mica rmi`.
 */
export interface LocalImages {
  manifest(repository: string, reference: string, held: Held): Promise<ManifestInfo | undefined>
  /** Bytes of a blob that an image of that name has. */
  blobSize(repository: string, digest: Digest, held: Held): Promise<number | undefined>
  tags(repository: string): Promise<readonly string[]>
  repositories(): Promise<readonly string[]>
}

export function localImages(parts: Pick<HubParts, 'images' | 'content' | 'transfer'>): LocalImages {
  const { images, transfer } = parts
  return {
    async manifest(repository, reference, { lease, signal }) {
      const name = nameOf(repository)
      if (!name) return undefined
      if (reference.includes(':')) return await byDigest(parts, name, reference, lease)
      const record = await images.findByName({ ...name, tag: reference })
      return record && (await transfer.manifestFor(record.id, lease, signal))
    },
    async blobSize(repository, digest, { lease }) {
      const name = nameOf(repository)
      for (const record of name ? await recordsOf(parts, name) : [])
        for (const manifest of record.manifests)
          if (await names(parts, manifest.digest, digest)) return await sizeOf(parts, digest, lease)
      return undefined
    },
    async tags(repository) {
      const name = nameOf(repository)
      const all = name ? await recordsOf(parts, name) : []
      return all.flatMap((record) =>
        record.names.flatMap((known) => (name && isSame(known, name) && known.tag !== undefined ? [known.tag] : [])),
      )
    },
    async repositories() {
      const names = (await images.list()).flatMap((record) => record.names)
      const tagged = names.filter(({ domain, tag }) => tag !== undefined && !domain.includes(':'))
      return [...new Set(tagged.map((name) => familiarName(name)))]
    },
  }
}

function nameOf(repository: string): Reference | undefined {
  try {
    return parseNamed(repository)
  } catch (error) {
    if (isKind(error, 'invalid')) return undefined
    throw error
  }
}

function isSame(one: Reference, two: Reference): boolean {
  return one.domain === two.domain && one.path === two.path
}

async function recordsOf({ images }: Pick<HubParts, 'images'>, name: Reference): Promise<readonly ImageRecord[]> {
  return (await images.list()).filter((record) => record.names.some((known) => isSame(known, name)))
}

async function byDigest(
  parts: Pick<HubParts, 'images' | 'content'>,
  name: Reference,
  digest: string,
  lease: HubRequest['lease'],
): Promise<ManifestInfo | undefined> {
  const manifests = (await recordsOf(parts, name)).flatMap((record) => record.manifests)
  const found = manifests.find((manifest) => manifest.digest === digest)
  return found && (await sizeOf(parts, found.digest, lease)) !== undefined ? found : undefined
}

/** Held first, looked for then: what is found stays. */
async function sizeOf(
  { content }: Pick<HubParts, 'content'>,
  digest: Digest,
  lease: HubRequest['lease'],
): Promise<number | undefined> {
  lease.hold({ kind: 'blob', id: digest })
  return (await content.find(digest))?.size
}

async function names({ content }: Pick<HubParts, 'content'>, manifest: Digest, blob: Digest): Promise<boolean> {
  if (manifest === blob) return true
  if ((await content.find(manifest)) === undefined) return false
  const document = parseDocument(await collect(content.read(manifest), MAX_MANIFEST))
  return document.blobs.some((link) => link.digest === blob)
}
