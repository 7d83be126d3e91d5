import * as v from 'valibot'
import { invalid, unsupported } from '#base'
import { parseJson } from './json.ts'
import { isIndexType, isManifestType, isSchema1Type, MEDIA_TYPES } from './media-type.ts'
import { annotations, digest, optional, text } from './schema.ts'
import type { Descriptor, Index, Manifest } from './types.ts'

/** More layers or platforms than this is no image. */
const MAX_ENTRIES = 10_000

const platform = v.pipe(
  v.object({ os: text, architecture: text, variant: optional(text) }),
  v.transform(({ os, architecture, variant }) => ({
    os,
    architecture,
    ...(variant !== undefined && variant !== '' && { variant }),
  })),
)

const descriptor = v.pipe(
  v.object({
    mediaType: text,
    digest,
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    platform: optional(platform),
    annotations: optional(annotations),
    urls: optional(v.array(text)),
  }),
  v.transform((found): Descriptor => present(found)),
)

const entries = v.pipe(v.array(descriptor), v.maxLength(MAX_ENTRIES))
const common = { schemaVersion: v.literal(2), mediaType: optional(text), annotations: optional(annotations) }
const manifestSchema = v.object({ ...common, config: descriptor, layers: entries, manifests: v.optional(v.never()) })
const indexSchema = v.object({
  ...common,
  manifests: entries,
  layers: v.optional(v.never()),
  config: v.optional(v.never()),
})
const kindSchema = v.object({
  schemaVersion: v.optional(v.unknown()),
  mediaType: v.nullish(v.unknown()),
  manifests: v.optional(v.unknown()),
  fsLayers: v.optional(v.unknown()),
})

export type AnyManifest =
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  | { readonly kind: 'index'; readonly index: Index }

/**
 * An image manifest (OCI or Docker v2.2). `mediaType` is what the registry or the descriptor said; a document that
 * says otherwise, or that could also be read as an index, is refused.
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  const found = parseJson(bytes, manifestSchema, 'image manifest')
  const said = agreedType(found.mediaType, mediaType, 'image manifest')
  const type = said ?? (isDockerConfig(found.config) ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.ociManifest)
  if (!isManifestType(type)) throw unsupported(`cannot read image manifest: unknown media type ${JSON.stringify(type)}`)
  return present({
    schemaVersion: 2 as const,
    mediaType: type,
    config: found.config,
    layers: found.layers,
    annotations: found.annotations,
  })
}

/** An image index (OCI) or manifest list (Docker), under the same conditions. */
export function parseIndex(bytes: Uint8Array, mediaType?: string): Index {
  const found = parseJson(bytes, indexSchema, 'image index')
  const type = agreedType(found.mediaType, mediaType, 'image index') ?? MEDIA_TYPES.ociIndex
  if (!isIndexType(type)) throw unsupported(`cannot read image index: unknown media type ${JSON.stringify(type)}`)
  return present({
    schemaVersion: 2 as const,
    mediaType: type,
    manifests: found.manifests,
    annotations: found.annotations,
  })
}

/** Either of the two, told apart by type, else by content. Schema 1 is `unsupported`, in Docker's words. */
export function parseAnyManifest(bytes: Uint8Array, mediaType?: string): AnyManifest {
  const kind = parseJson(bytes, kindSchema, 'manifest')
  const type = typeof kind.mediaType === 'string' ? kind.mediaType : mediaType
  if (kind.schemaVersion === 1 || kind.fsLayers !== undefined || (type !== undefined && isSchema1Type(type))) {
    throw unsupported(
      'Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: ' +
        'push the image again in the OCI or Docker v2.2 format',
    )
  }
  const known = type !== undefined && (isIndexType(type) || isManifestType(type)) ? type : undefined
  const isIndex = known === undefined ? kind.manifests !== undefined : isIndexType(known)
  const trusted = mediaType !== undefined && isGeneric(mediaType) ? undefined : mediaType
  return isIndex
    ? { kind: 'index', index: parseIndex(bytes, trusted) }
    : { kind: 'manifest', manifest: parseManifest(bytes, trusted) }
}

/** The bytes of a manifest: keys in the specification's order, no white space. */
export function formatManifest(manifest: Manifest): Buffer {
  const { schemaVersion, mediaType, config, layers } = manifest
  return encode({
    schemaVersion,
    mediaType,
    config: ordered(config),
    layers: layers.map(ordered),
    annotations: manifest.annotations,
  })
}

export function formatIndex(index: Index): Buffer {
  const { schemaVersion, mediaType, manifests } = index
  return encode({ schemaVersion, mediaType, manifests: manifests.map(ordered), annotations: index.annotations })
}

/** True for the entries of an index that no machine runs: attestations and other attached documents. */
export function isAttestation(entry: Descriptor): boolean {
  const kind = entry.annotations?.['vnd.docker.reference.type']
  return kind === 'attestation-manifest' || (entry.platform?.os === 'unknown' && kind !== undefined)
}

function ordered(entry: Descriptor): Descriptor {
  const { mediaType, digest: name, size, urls, annotations: notes, platform: machine } = entry
  return present({ mediaType, digest: name, size, urls, annotations: notes, platform: machine })
}

function encode(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function agreedType(inside: string | undefined, outside: string | undefined, what: string): string | undefined {
  if (inside !== undefined && outside !== undefined && inside !== outside) {
    throw invalid(`cannot read ${what}: it says ${JSON.stringify(inside)} but was given as ${JSON.stringify(outside)}`)
  }
  return inside ?? outside
}

function isGeneric(mediaType: string): boolean {
  return mediaType === '' || mediaType === 'application/json' || mediaType === 'application/octet-stream'
}

function isDockerConfig(config: Descriptor): boolean {
  return config.mediaType === MEDIA_TYPES.dockerConfig || config.mediaType === MEDIA_TYPES.dockerPlugin
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> } & {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K]
}

function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Present<T>
}
