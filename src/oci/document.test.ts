import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from './digest.ts'
import { parseDocument } from './document.ts'
import { MEDIA_TYPES } from './media-type.ts'

const [A, B] = [digestOf('a'), digestOf('b')]
const link = (digest: string, more: object = {}) => ({ mediaType: 'application/x', digest, size: 1, ...more })
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))
const MANIFEST = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config: link(A), layers: [link(B)] }

test('parseDocument() tells where a manifest points to, whatever its kind', () => {
  const image = parseDocument(bytes({ ...MANIFEST, subject: link(B), annotations: { note: 'x' } }))
  assert.deepEqual(
    image.blobs.map(({ digest, foreign }) => [digest, foreign]),
    [
      [A, false],
      [B, false],
    ],
  )
  assert.deepEqual([image.subject, image.artifactType, image.annotations], [B, 'application/x', { note: 'x' }])
  const foreign = parseDocument(bytes({ ...MANIFEST, layers: [link(B, { urls: ['https://example.invalid'] })] }))
  assert.deepEqual(
    foreign.blobs.map((blob) => blob.foreign),
    [false, true],
  )
  const index = parseDocument(bytes({ schemaVersion: 2, manifests: [link(A)] }))
  assert.equal(index.mediaType, MEDIA_TYPES.ociIndex)
  assert.deepEqual([index.blobs.length, index.manifests.map(({ digest }) => digest)], [0, [A]])
  const old = parseDocument(bytes({ mediaType: 'application/vnd.oci.artifact.manifest.v1+json', blobs: [link(A)] }))
  assert.equal(old.blobs.length, 1)
})

const REFUSED = {
  'no object': ['[]', undefined],
  nothing: ['{}', undefined],
  'another type than said': [JSON.stringify(MANIFEST), MEDIA_TYPES.dockerManifest],
  'manifests and layers': [JSON.stringify({ ...MANIFEST, manifests: [] }), undefined],
  'an index without manifests': ['{"schemaVersion":2}', MEDIA_TYPES.ociIndex],
  'a manifest without config': [JSON.stringify({ ...MANIFEST, config: undefined }), undefined],
  'schema 1': ['{"schemaVersion":1}', MEDIA_TYPES.dockerSchema1],
  'another algorithm': [JSON.stringify({ ...MANIFEST, config: link(`sha512:${'0'.repeat(128)}`) }), undefined],
} as const

for (const [what, [text, said]] of Object.entries(REFUSED)) {
  test(`parseDocument() refuses ${what}`, () => {
    assert.throws(() => parseDocument(Buffer.from(text), said), /cannot read manifest|schema 1/)
  })
}
