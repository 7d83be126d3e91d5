import type { Digest } from '#oci'
import { HubFault } from './fault.ts'
import type { LocalImages } from './local-images.ts'
import type { SpaceRecords } from './records.ts'
import type { HubParts, HubRequest, ManifestInfo, Shelf } from './types.ts'

export interface OwnShelf extends Shelf {
  readonly records: SpaceRecords
  /** By tag or digest; throws `HubFault` for what is an image of the store. */
  removeManifest(repository: string, reference: string): Promise<void>
  /** Throws `HubFault` while a manifest names it. */
  removeBlob(repository: string, digest: Digest): void
  /** True where the other repository has it; then this one has it too. */
  mount(repository: string, digest: Digest, from: string, held: Pick<HubRequest, 'lease' | 'signal'>): Promise<boolean>
}

export interface OwnShelfParts extends Pick<HubParts, 'content'> {
  readonly records: SpaceRecords
  readonly local: LocalImages
}

/** What was pushed here first, and behind it the images of the store. */
export function ownShelf(parts: OwnShelfParts): OwnShelf {
  const { records, local } = parts
  const blob: Shelf['blob'] = async (repository, digest, held) => {
    const size = await blobSize(parts, repository, digest, held)
    if (size === undefined) return undefined
    return { size, read: (start, end) => parts.content.read(digest, { start, end }) }
  }
  return {
    records,
    blob,
    manifest: async (repository, reference, held) =>
      (await pushed(parts, records.findManifest(repository, reference), held)) ??
      (await local.manifest(repository, reference, held)),
    async tags(repository) {
      const tags = await local.tags(repository)
      if (tags.length === 0 && !records.has(repository)) return undefined
      return sorted([...records.tags(repository), ...tags])
    },
    repositories: async () => sorted([...records.repositories(), ...(await local.repositories())]),
    referrers: async (repository, subject) => records.referrers(repository, subject),
    async removeManifest(repository, reference) {
      const isGone = reference.includes(':')
        ? records.findManifest(repository, reference)
        : records.removeTag(repository, reference)
      if (typeof isGone === 'object' && records.removeManifest(repository, isGone.digest)) return
      if (isGone === true) return
      await refuseRemoval(local, repository, reference)
    },
    removeBlob(repository, digest) {
      if (records.isNamed(repository, digest))
        throw new HubFault('UNSUPPORTED', 'the blob is part of a manifest: remove that first', { detail: { digest } })
      if (!records.hasBlob(repository, digest)) throw new HubFault('BLOB_UNKNOWN', 'blob unknown to registry')
      records.removeBlob(repository, digest)
    },
    async mount(repository, digest, from, held) {
      if ((await blob(from, digest, held)) === undefined) return false
      records.addBlob(repository, digest)
      return true
    },
  }
}

async function pushed(
  { content }: OwnShelfParts,
  found: ManifestInfo | undefined,
  { lease }: Pick<HubRequest, 'lease'>,
): Promise<ManifestInfo | undefined> {
  if (!found) return undefined
  lease.hold({ kind: 'blob', id: found.digest })
  return (await content.find(found.digest)) ? found : undefined
}

async function blobSize(
  { records, local, content }: OwnShelfParts,
  repository: string,
  digest: Digest,
  held: Pick<HubRequest, 'lease' | 'signal'>,
): Promise<number | undefined> {
  held.lease.hold({ kind: 'blob', id: digest })
  if (records.hasBlob(repository, digest)) return (await content.find(digest))?.size
  return await local.blobSize(repository, digest, held)
}

async function refuseRemoval(local: LocalImages, repository: string, reference: string): Promise<never> {
  const isLocal = !reference.includes(':') && (await local.tags(repository)).includes(reference)
  if (isLocal)
    throw new HubFault('UNSUPPORTED', `${repository}:${reference} is an image of the engine: mica rmi removes it`)
  throw new HubFault('MANIFEST_UNKNOWN', 'manifest unknown')
}

/** By code units, each once: the order of lists and of `last`. */
function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}
