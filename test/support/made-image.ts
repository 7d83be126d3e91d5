import { writeTar, type TarSource } from '#archive'
import { bytesOf, collect } from '#base'
import {
  digestOf,
  formatImageConfig,
  formatManifest,
  hostPlatform,
  diffIdOf,
  MEDIA_TYPES,
  type Descriptor,
  type Digest,
  type DiffId,
  type Manifest,
  type Platform,
  type Reference,
} from '#oci'
import type { Registry } from '#registry'
import { gzipSync, zstdCompressSync } from 'node:zlib'

/** An image made of bytes in memory, for tests. */
export interface MadeImage {
  readonly manifest: Manifest
  readonly bytes: Buffer
  readonly descriptor: Descriptor
  readonly config: Buffer
  readonly diffIds: readonly DiffId[]
  readonly blobs: ReadonlyMap<Digest, Uint8Array>
}

export interface MadeOptions {
  readonly form?: 'plain' | 'gzip' | 'zstd'
  readonly family?: 'oci' | 'docker'
  readonly platform?: Platform
  readonly labels?: Readonly<Record<string, string>>
}

const TYPES = {
  oci: { plain: MEDIA_TYPES.ociLayer, gzip: MEDIA_TYPES.ociLayerGzip, zstd: MEDIA_TYPES.ociLayerZstd },
  docker: { plain: MEDIA_TYPES.dockerLayer, gzip: MEDIA_TYPES.dockerLayerGzip, zstd: MEDIA_TYPES.dockerLayerZstd },
}
const PACK = { plain: (tar: Buffer) => tar, gzip: gzipSync, zstd: zstdCompressSync }

/** The tar of these files: name to content. */
export async function tarOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const members = Object.entries(files).map(([path, body]): TarSource => ({
    kind: 'file',
    path,
    mode: 0o644,
    body: Buffer.from(body),
  }))
  return collect(writeTar(members))
}

/** An image whose layers are these tars, bottom first. */
export function makeImage(tars: readonly Buffer[], options: MadeOptions = {}): MadeImage {
  const { form = 'gzip', family = 'oci', platform = hostPlatform(), labels = {} } = options
  const blobs = new Map<Digest, Uint8Array>()
  const keep = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = digestOf(bytes)
    blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const diffIds = tars.map(diffIdOf)
  const config = formatImageConfig({
    ...platform,
    created: '2026-01-01T00:00:00Z',
    config: { Cmd: ['sh'], Labels: labels },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: tars.map((_, index) => ({ created_by: `layer ${index}` })),
  })
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: family === 'oci' ? MEDIA_TYPES.ociManifest : MEDIA_TYPES.dockerManifest,
    config: keep(family === 'oci' ? MEDIA_TYPES.ociConfig : MEDIA_TYPES.dockerConfig, config),
    layers: tars.map((tar) => keep(TYPES[family][form], PACK[form](tar))),
  }
  const bytes = formatManifest(manifest)
  const descriptor = { mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.length }
  return { manifest, bytes, descriptor, config, diffIds, blobs }
}

/** Puts blobs and manifest into a registry. */
export async function offerImage(registry: Registry, name: Reference, image: MadeImage): Promise<void> {
  for (const blob of new Map(
    [...image.manifest.layers, image.manifest.config].map((one) => [one.digest, one]),
  ).values()) {
    await registry.putBlob(name.path, blob, () => bytesOf(image.blobs.get(blob.digest) ?? ''))
  }
  await registry.putManifest(name, image.manifest.mediaType, image.bytes)
}
