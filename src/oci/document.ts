import * as v from 'valibot'
import { type EngineError, invalid, unsupported } from '#base'
import { parseJson } from './json.ts'
import { isIndexType, isManifestType, isSchema1Type, MEDIA_TYPES } from './media-type.ts'
import { annotations, digest, optional, text } from './schema.ts'
import type { Digest } from './types.ts'

/** A pointer inside a document. */
export interface DocumentLink {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** Its bytes may be elsewhere: the registry need not have them. */
  readonly foreign: boolean
}

/**
 * What a registry must know of any manifest, also of one that is no image (artifacts, signatures): where it points to.
 * distribution-spec, «Pushing Manifests».
 */
export interface Document {
  readonly mediaType: string
  /** Config and layers: blobs. */
  readonly blobs: readonly DocumentLink[]
  /** Of an index: manifests. */
  readonly manifests: readonly DocumentLink[]
  /** The manifest that this one is about; it need not be there. */
  readonly subject?: Digest
  /** Its own, else its config's media type; image-spec, «Listing Referrers». */
  readonly artifactType?: string
  readonly annotations: Readonly<Record<string, string>>
}

const MAX_LINKS = 10_000

const link = v.pipe(
  v.object({
    mediaType: text,
    digest,
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    urls: optional(v.array(text)),
  }),
  v.transform((found): DocumentLink => ({
    mediaType: found.mediaType,
    digest: found.digest,
    size: found.size,
    foreign: (found.urls ?? []).length > 0 || /nondistributable|foreign/.test(found.mediaType),
  })),
)

const links = optional(v.pipe(v.array(link), v.maxLength(MAX_LINKS)))

const schema = v.object({
  schemaVersion: optional(v.number()),
  mediaType: optional(text),
  artifactType: optional(text),
  config: optional(link),
  layers: links,
  blobs: links,
  manifests: links,
  subject: optional(link),
  annotations: optional(annotations),
})

/**
 * Any manifest that a registry may keep. `said` is the media type it came with. Throws `invalid` where it is none or
 * says another type itself, `unsupported` for schema 1.
 */
export function parseDocument(bytes: Uint8Array, said?: string): Document {
  const found = parseJson(bytes, schema, 'manifest')
  const mediaType = found.mediaType ?? said ?? (found.manifests ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest)
  if (found.schemaVersion === 1 || isSchema1Type(mediaType)) {
    throw unsupported('image manifests of schema 1 are not kept: push the image in the OCI or Docker v2.2 format')
  }
  checkShape(mediaType, said, found)
  const artifactType = artifactTypeOf(mediaType, found)
  return {
    mediaType,
    blobs: [found.config ?? [], found.layers ?? found.blobs ?? []].flat(),
    manifests: found.manifests ?? [],
    annotations: found.annotations ?? {},
    ...(found.subject && { subject: found.subject.digest }),
    ...(artifactType !== undefined && { artifactType }),
  }
}

function artifactTypeOf(mediaType: string, { artifactType, config }: v.InferOutput<typeof schema>): string | undefined {
  const said = artifactType === '' ? undefined : artifactType
  return isIndexType(mediaType) ? said : (said ?? config?.mediaType)
}

/** A document that two readers could take for two things is refused (CVE-2021-41190). */
function checkShape(
  mediaType: string,
  said: string | undefined,
  found: { readonly manifests?: unknown; readonly layers?: unknown; readonly config?: unknown },
): void {
  if (said !== undefined && said !== mediaType) {
    throw invalidShape(`it says ${JSON.stringify(mediaType)} but was given as ${JSON.stringify(said)}`)
  }
  const hasManifests = found.manifests !== undefined
  if (hasManifests && (found.layers !== undefined || found.config !== undefined)) {
    throw invalidShape('it has both manifests and layers')
  }
  const lacks = isManifestType(mediaType) && (found.config === undefined || found.layers === undefined)
  if (lacks || isIndexType(mediaType) !== hasManifests) throw invalidShape(`it is no ${mediaType}`)
}

function invalidShape(why: string): EngineError {
  return invalid(`cannot read manifest: ${why}`)
}
