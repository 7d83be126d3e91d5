import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EngineError, isKind } from '#base'
import { parseImageConfig } from './config.ts'
import { digestOf } from './digest.ts'
import { formatIndex, formatManifest, isAttestation, parseAnyManifest, parseIndex, parseManifest } from './manifest.ts'
import { MEDIA_TYPES } from './media-type.ts'
import type { Descriptor, Index, Manifest } from './types.ts'

const blob = (mediaType: string, text: string): Descriptor => ({ mediaType, digest: digestOf(text), size: text.length })

const MANIFEST: Manifest = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociManifest,
  config: blob(MEDIA_TYPES.ociConfig, 'config'),
  layers: [blob(MEDIA_TYPES.ociLayerGzip, 'one'), blob(MEDIA_TYPES.ociLayerZstd, 'two')],
  annotations: { a: 'b' },
}

const INDEX: Index = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociIndex,
  manifests: [{ ...blob(MEDIA_TYPES.ociManifest, 'm'), platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }],
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

test('a manifest and an index survive formatting and parsing', () => {
  assert.deepEqual(parseManifest(formatManifest(MANIFEST)), MANIFEST)
  assert.deepEqual(parseIndex(formatIndex(INDEX)), INDEX)
  assert.deepEqual(parseAnyManifest(formatManifest(MANIFEST)), { kind: 'manifest', manifest: MANIFEST })
  assert.deepEqual(parseAnyManifest(formatIndex(INDEX), MEDIA_TYPES.ociIndex), { kind: 'index', index: INDEX })
})

test('parseManifest() takes the type from outside, else from the config, where the document names none', () => {
  const { mediaType: _, ...bare } = MANIFEST
  assert.equal(parseManifest(json(bare)).mediaType, MEDIA_TYPES.ociManifest)
  assert.equal(parseManifest(json(bare), MEDIA_TYPES.dockerManifest).mediaType, MEDIA_TYPES.dockerManifest)
  const docker = { ...bare, config: blob(MEDIA_TYPES.dockerConfig, 'config') }
  assert.equal(parseManifest(json(docker)).mediaType, MEDIA_TYPES.dockerManifest)
})

const REFUSED = [
  ['a size that is negative', { ...MANIFEST, config: { ...MANIFEST.config, size: -1 } }],
  ['a size with a fraction', { ...MANIFEST, config: { ...MANIFEST.config, size: 1.5 } }],
  ['a size beyond 2^53', { ...MANIFEST, config: { ...MANIFEST.config, size: 1e300 } }],
  ['a digest that is none', { ...MANIFEST, config: { ...MANIFEST.config, digest: 'sha256:../..' } }],
  ['a document that could be an index too', { ...MANIFEST, manifests: [] }],
  ['another schema version', { ...MANIFEST, schemaVersion: 3 }],
  ['no layers', { ...MANIFEST, layers: null }],
  ['an array', []],
  ['null', null],
] as const

for (const [what, document] of REFUSED) {
  test(`parseManifest() refuses ${what}`, () => {
    assert.throws(() => parseManifest(json(document)), { kind: 'invalid' })
  })
}

test('parseManifest() refuses a document given under another type than it says', () => {
  assert.throws(() => parseManifest(formatManifest(MANIFEST), MEDIA_TYPES.dockerManifest), { kind: 'invalid' })
  assert.throws(() => parseIndex(json({ ...INDEX, layers: [] })), { kind: 'invalid' })
})

test('parseAnyManifest() refuses schema 1 with a clear word', () => {
  const old = json({ schemaVersion: 1, name: 'x', fsLayers: [] })
  assert.throws(() => parseAnyManifest(old, MEDIA_TYPES.dockerSchema1Signed), {
    kind: 'unsupported',
    message: /schema 1 are not supported/,
  })
})

test('isAttestation() knows the attached documents of an index', () => {
  const attached = {
    ...blob(MEDIA_TYPES.ociManifest, 'x'),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
  }
  assert.equal(isAttestation(attached), true)
  assert.equal(isAttestation(MANIFEST.config), false)
})

test('the parsers throw nothing but their own errors', () => {
  const parsers = [parseManifest, parseIndex, parseAnyManifest, parseImageConfig]
  const text = fc.oneof(
    fc.json(),
    fc.string(),
    fc.nat({ max: 20_000 }).map((depth) => '['.repeat(depth)),
    fc.constantFrom('{"__proto__":1}', '{"rootfs":{"type":"layers","__proto__":{}}}', '\u{feff}{}'),
    fc
      .record({ schemaVersion: fc.constant(2), layers: fc.jsonValue(), config: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
    fc
      .record({ rootfs: fc.jsonValue(), history: fc.jsonValue(), config: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        text.map((one) => Buffer.from(one)),
        fc.uint8Array(),
      ),
      (bytes) => {
        for (const parse of parsers) {
          try {
            parse(bytes)
          } catch (error) {
            assert.ok(
              error instanceof EngineError && (isKind(error, 'invalid') || isKind(error, 'unsupported')),
              String(error),
            )
          }
        }
      },
    ),
  )
})
