import { abbreviate, collect, EngineError, invalid, isKind, sleep } from '#base'
import {
  canonicalReference,
  chainIds,
  configDigest,
  familiarName,
  formatManifest,
  layerCompression,
  MEDIA_TYPES,
  digestOf,
  parseManifest,
  repositoryOf,
  withDefaultTag,
  type Descriptor,
  type Digest,
  type Manifest,
  type Reference,
} from '#oci'
import type { Registry } from '#registry'
import type { Image } from '#store/image'
import type { Lease } from '#store/lease'
import { emitNamed, SILENT, type TransferContext } from './context.ts'
import { createMeter, metered } from './meter.ts'
import { findMountSources } from './mount.ts'
import type { ProgressSink, TransferOptions } from './types.ts'

const MAX_MANIFEST = 4 << 20

interface Push {
  readonly context: TransferContext
  readonly name: Reference
  readonly registry: Registry
  readonly lease: Lease
  readonly progress: ProgressSink
  readonly signal: AbortSignal | undefined
}

export async function pushImage(
  context: TransferContext,
  reference: Reference,
  options: TransferOptions = {},
): Promise<Descriptor> {
  const name = withDefaultTag(reference)
  if (name.digest !== undefined) throw invalid('cannot push a digest reference')
  const { credentials, progress = SILENT, signal } = options
  progress({ status: `The push refers to repository [${canonicalReference(repositoryOf(name))}]` })
  const record = await context.images.findByName(name)
  // Mirrors are for pulling: a push goes to the registry itself, the last of them.
  const registry = context.registryFor(name, credentials).at(-1)
  if (!record || !registry) throw missing(name)
  await using lease = await context.leases.open(`push ${canonicalReference(name)}`)
  const push: Push = { context, name, registry, lease, progress, signal }
  return await pushTo(push, await context.images.open(record.id))
}

export async function pushAllTags(
  context: TransferContext,
  reference: Reference,
  options: TransferOptions = {},
): Promise<readonly Descriptor[]> {
  const names = (await context.images.list()).flatMap((record) => record.names)
  const mine = names
    .filter(({ domain, path, tag }) => tag !== undefined && domain === reference.domain && path === reference.path)
    .toSorted((a, b) => (canonicalReference(a) < canonicalReference(b) ? -1 : 1))
  if (mine.length === 0) throw missing(reference)
  const sent: Descriptor[] = []
  for (const name of mine) sent.push(await pushImage(context, name, options))
  return sent
}

function missing(name: Reference): EngineError {
  return new EngineError('not-found', `An image does not exist locally with the tag: ${familiarName(name)}`)
}

async function pushTo(push: Push, image: Image): Promise<Descriptor> {
  const { context, name, registry, lease, progress, signal } = push
  holdImage(lease, image)
  const ids = image.config.rootfs.diff_ids.map(abbreviate)
  for (const id of new Set(ids)) progress({ id, status: 'Preparing' })
  const { manifest, bytes } = (await findManifest(push, image)) ?? (await makeManifest(push, image))
  const sent = new Map(manifest.layers.map((layer, index) => [layer.digest, { layer, id: ids[index] ?? '' }]))
  const sources = findMountSources(context, name)
  const uploads = [...sent.values()].map(({ layer, id }) => pushBlob(push, layer, { id, sources }))
  await allOrFirstFailure([...uploads, pushBlob(push, manifest.config, { sources })])
  const digest = await registry.putManifest(name, manifest.mediaType, bytes, signal)
  await context.images.tag({ ...repositoryOf(name), digest }, image.id, { quiet: true })
  emitNamed(context, 'push', name, image.config)
  progress({ status: `${name.tag ?? ''}: digest: ${digest} size: ${bytes.length}` })
  return { mediaType: manifest.mediaType, digest, size: bytes.length }
}

/** So that nothing goes away while the image is on its way, even if its record does. */
export function holdImage(lease: Lease, image: Image): void {
  lease.hold({ kind: 'image', id: image.id }, { kind: 'blob', id: image.id })
  for (const chain of chainIds(image.config.rootfs.diff_ids)) lease.hold({ kind: 'snapshot', id: chain })
  for (const { digest } of image.manifests) lease.hold({ kind: 'blob', id: digest })
}

interface KnownManifest {
  readonly manifest: Manifest
  readonly bytes: Uint8Array
}

/** A manifest that the image is known by, if each of its blobs is here or there already: it keeps its digest. */
async function findManifest(push: Push, image: Image): Promise<KnownManifest | undefined> {
  const { context, registry, name, lease, signal } = push
  for (const { digest, mediaType } of image.manifests) {
    if ((await context.content.find(digest)) === undefined) continue
    const bytes = await collect(context.content.read(digest), MAX_MANIFEST)
    const manifest = parseManifest(bytes, mediaType)
    lease.hold(...manifest.layers.map((layer) => ({ kind: 'blob', id: layer.digest }) as const))
    const isWithin = async (blob: Digest): Promise<boolean> =>
      (await context.content.find(blob)) !== undefined || registry.hasBlob(name.path, blob, signal)
    const within = await Promise.all(manifest.layers.map((layer) => isWithin(layer.digest)))
    if (within.every(Boolean)) return { manifest, bytes }
  }
  return undefined
}

/** An OCI manifest of the layers' blobs, packed now where there are none. */
export async function makeManifest(
  push: Pick<Push, 'context' | 'lease' | 'signal'>,
  image: Image,
): Promise<KnownManifest> {
  const { context, lease, signal } = push
  const layers = await Promise.all(
    chainIds(image.config.rootfs.diff_ids).map(async (chain) => {
      const layer = await context.layers.find(chain)
      if (!layer) throw new EngineError('corrupt', `cannot push image ${image.id}: its layer ${chain} is missing`)
      return asOciLayer(await context.layers.pack(layer, 'gzip', lease, signal))
    }),
  )
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest: configDigest(image.id), size: image.configBytes.length }
  const manifest: Manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers }
  const bytes = formatManifest(manifest)
  await context.content.put(bytes, lease)
  const descriptor = { mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.length }
  await context.images.addManifest(image.id, descriptor)
  return { manifest, bytes }
}

/** The same blob under the OCI name of its form. */
function asOciLayer({ digest, size, mediaType }: Descriptor): Descriptor {
  const names = { none: MEDIA_TYPES.ociLayer, gzip: MEDIA_TYPES.ociLayerGzip, zstd: MEDIA_TYPES.ociLayerZstd }
  return { mediaType: names[layerCompression(mediaType) ?? 'none'], digest, size }
}

interface BlobFacts {
  /** Absent for the config, of which nothing is told. */
  readonly id?: string
  /** Repositories of the same registry that may have the blob. */
  readonly sources: (blob: Digest) => Promise<readonly string[]>
}

function pushBlob(push: Push, blob: Descriptor, { id, sources }: BlobFacts): Promise<void> {
  const { context, name, registry, progress, signal } = push
  const say = (status: string): void => {
    if (id !== undefined) progress({ id, status })
  }
  return context.uploads.run(async () => {
    if (await registry.hasBlob(name.path, blob.digest, signal)) return say('Layer already exists')
    const [mountFrom] = await sources(blob.digest)
    const outcome = await upload(push, blob, { id, mountFrom })
    say(outcome === 'mounted' ? `Mounted from ${mountFrom ?? ''}` : 'Pushed')
  }, signal)
}

async function upload(
  { context, name, registry, progress, signal }: Push,
  blob: Descriptor,
  { id, mountFrom }: { readonly id: string | undefined; readonly mountFrom: string | undefined },
): Promise<'uploaded' | 'mounted'> {
  const { attempts, delay } = context.limits
  const report: ProgressSink = id === undefined ? SILENT : progress
  const bytes = () => {
    const meter = createMeter(context.clock, report, { id: id ?? '', status: 'Pushing', total: blob.size })
    return metered(context.content.read(blob.digest), meter)
  }
  const options = { ...(mountFrom !== undefined && { mountFrom }), ...(signal && { signal }) }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await registry.putBlob(name.path, blob, bytes, options)
    } catch (error) {
      if (!isKind(error, 'unavailable') || attempt >= attempts) throw error
      await sleep(delay * 2 ** (attempt - 1), signal)
    }
  }
}

/** Rejects with the first failure, but only after all have ended. */
async function allOrFirstFailure(work: readonly Promise<void>[]): Promise<void> {
  try {
    await Promise.all(work)
  } finally {
    await Promise.allSettled(work)
  }
}
