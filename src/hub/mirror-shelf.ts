import { EngineError, isKind, messageOf, type Log } from '#base'
import { parseDigest, parseDocument, type Descriptor, type Digest, type Reference } from '#oci'
import type { Registry } from '#registry'
import { createArrivals, type ArrivalParts } from './arrivals.ts'
import type { SpaceRecords } from './records.ts'
import type { HubRequest, ManifestInfo, Shelf } from './types.ts'

type Held = Pick<HubRequest, 'lease' | 'signal'>

export interface MirrorParts extends ArrivalParts {
  readonly records: SpaceRecords
  readonly registry: Registry
  readonly log: Log
}

/**
 * Another registry, kept here as it is asked for: what a tag means is asked of it each time and believed of the cache
 * where it does not answer; what a digest means never changes.
 */
export function mirrorShelf(parts: MirrorParts): Shelf & AsyncDisposable {
  const { records, registry, content } = parts
  const arrivals = createArrivals(parts)
  return {
    manifest: (repository, reference, held) =>
      reference.includes(':')
        ? byDigest(parts, repository, parseDigest(reference), held)
        : byTag(parts, repository, reference, held),
    async blob(repository, digest, held) {
      const size = records.sizeOf(repository, digest)
      if (size === undefined) return undefined
      held.lease.hold({ kind: 'blob', id: digest })
      if (await content.find(digest)) return { size, read: (start, end) => content.read(digest, { start, end }) }
      const blob: Descriptor = { mediaType: 'application/octet-stream', digest, size }
      return { size, read: (start, end) => arrivals.read(repository, blob, { start, end, signal: held.signal }) }
    },
    async tags(repository) {
      try {
        return [...(await registry.tags(repository))].sort()
      } catch (error) {
        if (!(error instanceof EngineError) || !records.has(repository)) return unlessUnknown(error)
        return records.tags(repository)
      }
    },
    repositories: async () => records.repositories(),
    [Symbol.asyncDispose]: () => arrivals[Symbol.asyncDispose](),
  }
}

function unlessUnknown(error: unknown): undefined {
  if (!isKind(error, 'not-found')) throw error
}

async function byTag(
  parts: MirrorParts,
  repository: string,
  tag: string,
  held: Held,
): Promise<ManifestInfo | undefined> {
  const { records, registry } = parts
  try {
    const found = await registry.resolve(nameIn(registry, repository, { tag }), held.signal)
    const kept = await cached(parts, repository, found.digest, held)
    if (!kept) return await fetch(parts, repository, found, { ...held, tag })
    records.setTag(repository, tag, found.digest)
    return kept
  } catch (error) {
    if (!(error instanceof EngineError) || isKind(error, 'cancelled')) throw error
    if (isKind(error, 'not-found')) {
      records.removeTag(repository, tag)
      return undefined
    }
    const kept = await cached(parts, repository, tag, held)
    if (!kept) throw error
    parts.log.warn(`registry cache: ${registry.address} does not answer, ${repository}:${tag} is what it was`, {
      error: messageOf(error),
    })
    return kept
  }
}

async function byDigest(
  parts: MirrorParts,
  repository: string,
  digest: Digest,
  held: Held,
): Promise<ManifestInfo | undefined> {
  const kept = await cached(parts, repository, digest, held)
  if (kept) return kept
  const { registry } = parts
  try {
    const found = await registry.resolve(nameIn(registry, repository, { digest }), held.signal)
    return await fetch(parts, repository, found, held)
  } catch (error) {
    return unlessUnknown(error)
  }
}

/** Held first, looked for then: what is found stays. */
async function cached(
  { records, content }: MirrorParts,
  repository: string,
  reference: string,
  { lease }: Held,
): Promise<ManifestInfo | undefined> {
  const found = records.findManifest(repository, reference)
  if (!found) return undefined
  lease.hold({ kind: 'blob', id: found.digest })
  return (await content.find(found.digest)) ? found : undefined
}

async function fetch(
  { records, registry, content }: MirrorParts,
  repository: string,
  found: Descriptor,
  { lease, signal, tag }: Held & { readonly tag?: string },
): Promise<ManifestInfo> {
  const bytes = await registry.manifest(repository, found, signal)
  const document = parseDocument(bytes, found.mediaType === 'application/json' ? undefined : found.mediaType)
  await content.put(bytes, lease)
  const manifest = { digest: found.digest, mediaType: document.mediaType, size: bytes.length }
  records.putManifest(repository, manifest, document, tag)
  return manifest
}

function nameIn(
  { address }: Registry,
  path: string,
  what: { readonly tag: string } | { readonly digest: Digest },
): Reference {
  return { domain: address, path, ...what }
}
