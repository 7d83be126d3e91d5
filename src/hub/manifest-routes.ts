import { collect, isKind } from '#base'
import { digestOf, MEDIA_TYPES, parseDocument, type Digest, type Document } from '#oci'
import type { ContentStore } from '#store/content'
import { HubFault } from './fault.ts'
import type { OwnShelf } from './own-shelf.ts'
import { isTag, parseBlobDigest } from './target.ts'
import type { HubReply, HubRequest, ManifestInfo, Shelf } from './types.ts'

/** What registries take at most (distribution-spec, «Pushing Manifests»). */
const MAX_MANIFEST = 4 << 20

/** distribution-spec, «Pulling manifests». */
export async function getManifest(
  { shelf, content }: { readonly shelf: Shelf; readonly content: Pick<ContentStore, 'read'> },
  repository: string,
  reference: string,
  request: HubRequest,
): Promise<HubReply> {
  const found = await findManifest(shelf, repository, reference, request)
  return {
    status: 200,
    headers: {
      'content-type': found.mediaType,
      'content-length': String(found.size),
      'docker-content-digest': found.digest,
      etag: `"${found.digest}"`,
    },
    ...(request.method !== 'HEAD' && { body: await collect(content.read(found.digest), MAX_MANIFEST) }),
  }
}

async function findManifest(
  shelf: Shelf,
  repository: string,
  reference: string,
  request: HubRequest,
): Promise<ManifestInfo> {
  const isName = isTag(reference) || (reference.includes(':') && parseBlobDigest(reference) !== undefined)
  const found = isName ? await shelf.manifest(repository, reference, request) : undefined
  if (found) return found
  if ((await shelf.tags(repository)) === undefined)
    throw new HubFault('NAME_UNKNOWN', 'repository name not known to registry', { detail: { name: repository } })
  throw new HubFault('MANIFEST_UNKNOWN', 'manifest unknown', { detail: { name: repository, reference } })
}

/** distribution-spec, «Pushing Manifests»: nothing is kept of a manifest whose blobs are not there. */
export async function putManifest(
  { shelf, content }: { readonly shelf: OwnShelf; readonly content: ContentStore },
  repository: string,
  reference: string,
  request: HubRequest,
): Promise<HubReply> {
  const bytes = await readManifest(request)
  const digest = digestOf(bytes)
  const tag = tagOf(reference, digest)
  const document = readDocument(bytes, request.header('content-type'))
  await checkLinks(shelf, repository, document, request)
  await content.put(bytes, request.lease)
  const manifest = { digest, mediaType: document.mediaType, size: bytes.length }
  shelf.records.putManifest(repository, manifest, document, tag)
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(document.subject && { 'oci-subject': document.subject }),
    },
  }
}

async function readManifest({ body }: HubRequest): Promise<Buffer> {
  try {
    return await collect(body, MAX_MANIFEST)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new HubFault('MANIFEST_INVALID', `the manifest has more than ${MAX_MANIFEST} bytes`, { status: 413 })
  }
}

/** Undefined where the manifest is put by its digest. */
function tagOf(reference: string, digest: Digest): string | undefined {
  if (isTag(reference)) return reference
  if (!reference.includes(':')) throw new HubFault('MANIFEST_INVALID', 'invalid tag', { detail: { tag: reference } })
  if (parseBlobDigest(reference) === digest) return undefined
  throw new HubFault('DIGEST_INVALID', 'provided digest did not match uploaded content', { detail: { digest } })
}

function readDocument(bytes: Uint8Array, contentType: string | undefined): Document {
  const said = contentType?.split(';')[0]?.trim()
  const isVague = said === undefined || said === '' || /^application\/(?:json|octet-stream)$/.test(said)
  try {
    return parseDocument(bytes, isVague ? undefined : said)
  } catch (error) {
    if (!isKind(error, 'invalid') && !isKind(error, 'unsupported')) throw error
    throw new HubFault('MANIFEST_INVALID', error.message, { cause: error })
  }
}

/** Held first, looked for then: what is found stays. */
async function checkLinks(
  shelf: OwnShelf,
  repository: string,
  { blobs, manifests }: Document,
  request: HubRequest,
): Promise<void> {
  for (const { digest, foreign } of blobs)
    if (!foreign && (await shelf.blob(repository, digest, request)) === undefined)
      throw new HubFault('MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry', { detail: { digest } })
  for (const { digest } of manifests)
    if ((await shelf.manifest(repository, digest, request)) === undefined)
      throw new HubFault('MANIFEST_BLOB_UNKNOWN', 'manifest unknown to registry', { detail: { digest } })
}

/** distribution-spec, «Deleting tags» and «Deleting Manifests». */
export async function deleteManifest(shelf: OwnShelf, repository: string, reference: string): Promise<HubReply> {
  await shelf.removeManifest(repository, reference.includes(':') ? parseBlobDigest(reference) : reference)
  return { status: 202 }
}

/** distribution-spec, «Listing Referrers». Undefined where this is not known: clients then look for the tag schema. */
export async function getReferrers(
  shelf: Shelf,
  repository: string,
  subject: Digest,
  { query }: HubRequest,
): Promise<HubReply | undefined> {
  const wanted = query.get('artifactType')
  const all = await shelf.referrers?.(repository, subject)
  if (!all) return undefined
  const manifests = all
    .filter(({ artifactType }) => wanted === null || artifactType === wanted)
    .map(({ mediaType, digest, size, artifactType, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    }))
  return {
    status: 200,
    headers: {
      'content-type': MEDIA_TYPES.ociIndex,
      ...(wanted !== null && { 'oci-filters-applied': 'artifactType' }),
    },
    body: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests })),
  }
}
