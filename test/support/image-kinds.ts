import { writeTar } from '#archive'
import { collect } from '#base'
import { diffIdOf, digestOf, hostPlatform, MEDIA_TYPES, type Digest } from '#oci'
import { gzipSync, zstdCompressSync } from 'node:zlib'

/** A document with its type, as a registry gives it. */
export interface Document {
  readonly mediaType: string
  readonly bytes: Buffer
}

/** One image as a registry offers it, every byte as this file made it. */
export interface OfferedImage {
  readonly blobs: readonly Buffer[]
  /** What the tag names comes last, what it refers to before it. */
  readonly documents: readonly Document[]
  /** The manifest that a pull of the tag chooses. */
  readonly manifest: Document
  readonly config: Buffer
}

/** A kind of image that registries hold. */
export interface ImageKind {
  readonly name: string
  /** What `pull` is told besides the name. */
  readonly flags?: readonly string[]
  /** False where this machine cannot run it. */
  readonly runs?: boolean
  make(root: Buffer): Promise<OfferedImage>
}

export type Form = 'plain' | 'gzip' | 'zstd'
type Family = 'docker' | 'oci'
type Machine = Readonly<Record<string, string>>
/** Text of a JSON document out of its value: not each tool writes as JSON.stringify does. */
type Writer = (value: object) => string

const PACK = { plain: (tar: Buffer) => tar, gzip: gzipSync, zstd: zstdCompressSync }
const TYPES = {
  oci: { plain: MEDIA_TYPES.ociLayer, gzip: MEDIA_TYPES.ociLayerGzip, zstd: MEDIA_TYPES.ociLayerZstd },
  docker: { plain: MEDIA_TYPES.dockerLayer, gzip: MEDIA_TYPES.dockerLayerGzip, zstd: MEDIA_TYPES.dockerLayerZstd },
}
const LISTS = { docker: MEDIA_TYPES.dockerIndex, oci: MEDIA_TYPES.ociIndex }
const MANIFESTS = { docker: MEDIA_TYPES.dockerManifest, oci: MEDIA_TYPES.ociManifest }
const CONFIGS = { docker: MEDIA_TYPES.dockerConfig, oci: MEDIA_TYPES.ociConfig }
const OTHER: Machine = { os: 'linux', architecture: hostPlatform().architecture === 'arm64' ? 'amd64' : 'arm64' }
/** Two blocks of nothing: what a tar without members is. */
const EMPTY = Buffer.alloc(1024)

/** What a manifest is made of; the layers are tars, bottom first. */
export interface Recipe {
  readonly family: Family
  readonly tars: readonly Buffer[]
  /** One for each layer; the last goes on for all above it. */
  readonly forms: readonly Form[]
  readonly machine?: Machine
  readonly more?: object
  readonly moreConfig?: object
  readonly write?: Writer
}

/** A tar with the program at `bin/busybox` and the text in the file `kind`. */
export async function rootTar(program: Buffer, text: string): Promise<Buffer> {
  return collect(
    writeTar([
      { kind: 'directory', path: 'bin/', mode: 0o755 },
      { kind: 'file', path: 'bin/busybox', mode: 0o755, body: program },
      { kind: 'file', path: 'kind', mode: 0o644, body: Buffer.from(text) },
    ]),
  )
}

async function textTar(path: string, text: string): Promise<Buffer> {
  return collect(writeTar([{ kind: 'file', path, mode: 0o644, body: Buffer.from(text) }]))
}

function pointer(mediaType: string, bytes: Buffer) {
  return { mediaType, size: bytes.length, digest: digestOf(bytes) }
}

export function makeOffer(recipe: Recipe): OfferedImage {
  const { family, tars, forms, machine = { ...hostPlatform() }, write = JSON.stringify } = recipe
  const config = Buffer.from(
    write({
      ...machine,
      created: '2026-01-02T03:04:05.678901234Z',
      config: { Env: ['PATH=/bin'], Cmd: ['/bin/busybox', 'cat', '/kind'], Labels: null },
      rootfs: { type: 'layers', diff_ids: tars.map(diffIdOf) },
      history: tars.map((_, index) => ({ created_by: `step ${index} <&>` })),
      ...recipe.moreConfig,
    }),
  )
  const layers = tars.map((tar, index) => {
    const form = forms[index] ?? forms.at(-1) ?? 'gzip'
    const blob = PACK[form](tar)
    return { blob, entry: pointer(TYPES[family][form], blob) }
  })
  const bytes = Buffer.from(
    write({
      schemaVersion: 2,
      mediaType: MANIFESTS[family],
      config: pointer(CONFIGS[family], config),
      layers: layers.map(({ entry }) => entry),
      ...recipe.more,
    }),
  )
  const manifest = { mediaType: MANIFESTS[family], bytes }
  return { blobs: [config, ...layers.map(({ blob }) => blob)], documents: [manifest], manifest, config }
}

/** The host's image beside one of another machine, and whatever else is in the list. */
function listOf(family: Family, parts: readonly (readonly [OfferedImage, object])[], chosen = 0): OfferedImage {
  const entries = parts.map(([{ manifest }, facts]) => ({ ...pointer(manifest.mediaType, manifest.bytes), ...facts }))
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: LISTS[family], manifests: entries }, null, 3))
  const image = parts[chosen]?.[0]
  if (!image) throw new RangeError('the list has no such image')
  return {
    ...image,
    blobs: parts.flatMap(([part]) => part.blobs),
    documents: [...parts.flatMap(([part]) => part.documents), { mediaType: LISTS[family], bytes }],
  }
}

/** What buildx attaches to an image: a document about it that is dressed up as an image. */
function attestationOf(subject: OfferedImage): readonly [OfferedImage, object] {
  const statement = Buffer.from(`{"_type":"https://in-toto.io/Statement/v0.1","subject":[${subject.blobs.length}]}`)
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'unknown',
      os: 'unknown',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digestOf(statement)] },
    }),
  )
  const entry = {
    ...pointer('application/vnd.in-toto+json', statement),
    annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' },
  }
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: pointer(MEDIA_TYPES.ociConfig, config),
      layers: [entry],
    }),
  )
  const manifest = { mediaType: MEDIA_TYPES.ociManifest, bytes }
  const facts = {
    annotations: {
      'vnd.docker.reference.digest': digestOf(subject.manifest.bytes),
      'vnd.docker.reference.type': 'attestation-manifest',
    },
    platform: { architecture: 'unknown', os: 'unknown' },
  }
  return [{ blobs: [config, statement], documents: [manifest], manifest, config }, facts]
}

async function both(family: Family, root: Buffer): Promise<readonly (readonly [OfferedImage, object])[]> {
  const own: Machine = { ...hostPlatform() }
  const forms = ['gzip'] as const
  const tars = [root, await textTar('etc/one', family)]
  return [
    [makeOffer({ family, tars, forms }), { platform: own }],
    [makeOffer({ family, tars, forms, machine: OTHER }), { platform: OTHER }],
  ]
}

const simple = (name: string, family: Family, forms: readonly Form[]): ImageKind => ({
  name,
  async make(root) {
    return makeOffer({ family, forms, tars: [root, await textTar('etc/one', name), await textTar('etc/two', name)] })
  },
})

const single = (name: string, recipe: Omit<Recipe, 'tars'>): ImageKind => ({
  name,
  make: async (root) => makeOffer({ ...recipe, tars: [root] }),
})

/** Numbers that JavaScript does not keep, escapes that it writes another way, members in an order of its own. */
const ODD =
  '"x-numbers": [12345678901234567890, 1.0, 1e2, -0, 0.1000],  "x-text": "\\u0041\\/\\u00e9\\ud83d\\ude00 \u00fc"'
const writeOdd: Writer = (value) => `\n\t{ ${ODD} ,\r\n ${JSON.stringify(value, null, '\t').slice(1, -1)}}\n\n`

export const IMAGE_KINDS: readonly ImageKind[] = [
  simple('docker-gzip', 'docker', ['gzip']),
  simple('docker-plain', 'docker', ['plain']),
  simple('oci-gzip', 'oci', ['gzip']),
  simple('oci-zstd', 'oci', ['zstd']),
  simple('oci-plain', 'oci', ['plain']),
  simple('oci-mixed', 'oci', ['gzip', 'plain', 'zstd']),
  { name: 'docker-list', make: async (root) => listOf('docker', await both('docker', root)) },
  { name: 'oci-index', make: async (root) => listOf('oci', await both('oci', root)) },
  {
    name: 'oci-index-other',
    flags: ['--platform', `linux/${OTHER['architecture']}`],
    runs: false,
    make: async (root) => listOf('oci', await both('oci', root), 1),
  },
  {
    name: 'attested',
    async make(root) {
      const images = await both('oci', root)
      return listOf('oci', [...images, ...images.map(([image]) => attestationOf(image))])
    },
  },
  single('annotated', {
    family: 'oci',
    forms: ['gzip'],
    more: {
      artifactType: 'application/vnd.example.thing',
      annotations: { 'org.opencontainers.image.title': 'a <b> & "c"', 'org.example.empty': '' },
      'x-unknown': { deep: [null, true, { a: [] }] },
    },
  }),
  single('unknown-config', {
    family: 'docker',
    forms: ['gzip'],
    moreConfig: {
      container: 'f'.repeat(64),
      docker_version: '1.13.0',
      'moby.buildkit.buildinfo.v1': 'e30=',
      'x-unknown': [{ a: 1 }, null],
      variant: '',
    },
  }),
  single('odd-text', { family: 'oci', forms: ['gzip'], write: writeOdd }),
  {
    name: 'twice-and-empty',
    make: async (root) =>
      makeOffer({
        family: 'docker',
        forms: ['gzip'],
        tars: [EMPTY, root, EMPTY, await textTar('a', 'a'), root, EMPTY],
      }),
  },
  {
    name: 'no-layers',
    runs: false,
    make: async () => makeOffer({ family: 'oci', forms: ['gzip'], tars: [] }),
  },
]

/** Puts everything of an image under the tag into a registry, byte for byte. */
export async function offerBytes(base: string, repository: string, image: OfferedImage): Promise<void> {
  for (const blob of new Map(image.blobs.map((bytes): [Digest, Buffer] => [digestOf(bytes), bytes])).values()) {
    const begun = await sent('POST', `${base}/v2/${repository}/blobs/uploads/`)
    const place = new URL(begun.headers.get('location') ?? '', base)
    place.searchParams.set('digest', digestOf(blob))
    await sent('PUT', place.href, { type: 'application/octet-stream', body: blob })
  }
  for (const { mediaType, bytes } of image.documents) {
    await sent('PUT', `${base}/v2/${repository}/manifests/${digestOf(bytes)}`, { type: mediaType, body: bytes })
  }
  const last = image.documents.at(-1)
  if (last) await sent('PUT', `${base}/v2/${repository}/manifests/1`, { type: last.mediaType, body: last.bytes })
}

interface Sent {
  readonly type: string
  readonly body: Buffer
}

async function sent(method: string, url: string, what?: Sent): Promise<Response> {
  const body = what && { body: new Uint8Array(what.body), headers: { 'content-type': what.type } }
  const reply = await fetch(url, { method, ...body })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${method} ${url} was answered ${reply.status}: ${text}`)
  return reply
}
