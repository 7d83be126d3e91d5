import { bytesOf, notFound } from '#base'
import {
  digestOf,
  familiarReference,
  formatImageConfig,
  formatIndex,
  formatManifest,
  hostPlatform,
  MEDIA_TYPES,
  parseDiffId,
  type Descriptor,
  type Digest,
} from '#oci'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ArchiveBlob, ArchiveFiles } from './archive-files.ts'
import { readArchiveImages } from './archive-images.ts'

/** An archive as it is after its bytes were received. */
function archive() {
  const bytes = new Map<Digest, Uint8Array>()
  const paths = new Map<string, ArchiveBlob>()
  const documents = new Map<string, Uint8Array>()
  const files: ArchiveFiles = {
    document: (path) => documents.get(path),
    blob: (path) => paths.get(path),
    blobByDigest: (digest) => [...paths.values()].find((blob) => blob.digest === digest),
  }
  const content = {
    read(digest: Digest) {
      const found = bytes.get(digest)
      if (!found) throw notFound('blob', digest)
      return bytesOf(found)
    },
  }
  return {
    files,
    content,
    /** Puts a blob at its usual path, or at the one given. */
    blob(body: Uint8Array | string, mediaType: string, path?: string): Descriptor {
      const buffer = Buffer.from(body)
      const digest = digestOf(buffer)
      bytes.set(digest, buffer)
      paths.set(path ?? `blobs/sha256/${digest.slice(7)}`, { digest, size: buffer.length, compression: 'plain' })
      return { mediaType, digest, size: buffer.length }
    },
    document: (path: string, value: unknown) => void documents.set(path, Buffer.from(JSON.stringify(value))),
    index: (manifests: readonly Descriptor[]) =>
      void documents.set('index.json', formatIndex({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests })),
  }
}

const configOf = (layers: number): Buffer =>
  formatImageConfig({
    ...hostPlatform(),
    config: {},
    rootfs: {
      type: 'layers',
      diff_ids: Array.from({ length: layers }, (_, index) => parseDiffId(digestOf(`${index}`))),
    },
    history: [],
  })

function ociImage(made: ReturnType<typeof archive>, label: string): Descriptor {
  const layer = made.blob(`layer ${label}`, MEDIA_TYPES.ociLayer)
  const config = made.blob(configOf(1), MEDIA_TYPES.ociConfig)
  const manifest = { schemaVersion: 2 as const, mediaType: MEDIA_TYPES.ociManifest, config, layers: [layer] }
  return made.blob(formatManifest(manifest), MEDIA_TYPES.ociManifest)
}

test('an OCI layout gives its images with the names of its annotations', async () => {
  const made = archive()
  const manifest = ociImage(made, 'a')
  made.index([
    { ...manifest, annotations: { 'io.containerd.image.name': 'docker.io/library/app:1' } },
    { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'host.example/app:2' } },
    { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'latest' } },
  ])
  const images = await readArchiveImages(made.files, made.content)
  assert.equal(images.length, 1)
  assert.deepEqual(images[0]?.names.map(familiarReference), ['app:1', 'host.example/app:2'])
  assert.equal(images[0]?.manifest?.descriptor.digest, manifest.digest)
})

test('of an index in a layout the image for this machine is taken; attestations and artifacts are passed over', async () => {
  const made = archive()
  const mine = { ...ociImage(made, 'mine'), platform: hostPlatform() }
  const foreign = { ...mine, digest: digestOf('elsewhere'), platform: { os: 'linux', architecture: 's390x' } }
  const attestation = {
    ...mine,
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
  }
  const inner = formatIndex({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [foreign, attestation, mine],
  })
  made.index([made.blob(inner, MEDIA_TYPES.ociIndex), made.blob('{}', 'application/vnd.example.artifact')])
  const images = await readArchiveImages(made.files, made.content)
  assert.deepEqual(
    images.map(({ manifest }) => manifest?.descriptor.digest),
    [mine.digest],
  )
})

test("Docker's manifest.json names the images, and a manifest of the same layers beside it is kept", async () => {
  const made = archive()
  const manifest = ociImage(made, 'a')
  made.index([manifest])
  const config = digestOf(configOf(1))
  const layer = digestOf('layer a')
  const entry = {
    Config: `blobs/sha256/${config.slice(7)}`,
    RepoTags: ['app:1'],
    Layers: [`blobs/sha256/${layer.slice(7)}`],
  }
  made.document('manifest.json', [entry])
  const [image] = await readArchiveImages(made.files, made.content)
  assert.deepEqual(image?.names.map(familiarReference), ['app:1'])
  assert.equal(image?.manifest?.descriptor.digest, manifest.digest)
})

const BROKEN: readonly (readonly [string, (made: ReturnType<typeof archive>) => void, string])[] = [
  ['nothing in it', () => undefined, 'invalid'],
  ['only the oldest form', (made) => made.document('repositories', {}), 'unsupported'],
  ['a manifest.json that is no list', (made) => made.document('manifest.json', { Config: 'x' }), 'invalid'],
  ['a config that is missing', (made) => made.document('manifest.json', [{ Config: 'x', Layers: [] }]), 'invalid'],
  [
    'fewer layers than diff ids',
    (made) => {
      made.blob(configOf(2), '', 'config.json')
      made.document('manifest.json', [{ Config: 'config.json', RepoTags: null, Layers: null }])
    },
    'corrupt',
  ],
  [
    'a name that is none',
    (made) => {
      made.blob(configOf(0), '', 'config.json')
      made.document('manifest.json', [{ Config: 'config.json', RepoTags: ['A B'], Layers: [] }])
    },
    'invalid',
  ],
]

for (const [what, prepare, kind] of BROKEN) {
  test(`readArchiveImages() refuses an archive with ${what}`, async () => {
    const made = archive()
    prepare(made)
    await assert.rejects(readArchiveImages(made.files, made.content), { kind })
  })
}
