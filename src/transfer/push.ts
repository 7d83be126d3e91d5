import { abbreviate, collect, EngineError, invalid } from '#base'
import {
  canonicalReference,
  configDigest,
  familiarName,
  familiarReference,
  layerCompression,
  MEDIA_TYPES,
  parseManifest,
  repositoryOf,
  withDefaultTag,
  type Descriptor,
  type Digest,
  type Manifest,
  type Reference,
} from '#oci'
import type { Image } from '#store/image'
import { emitNamed, SILENT, type TransferContext } from './context.ts'
import { allOrFirstFailure, holdImage, makeManifest, type KnownManifest } from './manifest.ts'
import type { ProgressSink, PushOptions } from './types.ts'
import { createUpload, type Push } from './upload.ts'

const MAX_MANIFEST = 4 << 20

export async function pushImage(
  context: TransferContext,
  reference: Reference,
  options: PushOptions = {},
): Promise<Descriptor> {
  const name = withDefaultTag(reference)
  if (name.digest !== undefined) throw invalid('cannot push a digest reference')
  announce(name, options.progress)
  return await pushName(context, name, options)
}

export async function pushAllTags(
  context: TransferContext,
  reference: Reference,
  options: PushOptions = {},
): Promise<readonly Descriptor[]> {
  announce(reference, options.progress)
  const mine = await tagsOf(context, reference)
  if (mine.length === 0) throw missing(reference)
  const sent: Descriptor[] = []
  for (const name of mine) sent.push(await pushName(context, name, options))
  return sent
}

function announce(name: Reference, progress: ProgressSink = SILENT): void {
  progress({ status: `The push refers to repository [${canonicalReference(repositoryOf(name))}]` })
}

/** Names with a tag in this repository, sorted. */
async function tagsOf({ images }: TransferContext, { domain, path }: Reference): Promise<readonly Reference[]> {
  const names = (await images.list()).flatMap((record) => record.names)
  return names
    .filter((name) => name.tag !== undefined && name.domain === domain && name.path === path)
    .toSorted((a, b) => (canonicalReference(a) < canonicalReference(b) ? -1 : 1))
}

async function pushName(context: TransferContext, name: Reference, options: PushOptions): Promise<Descriptor> {
  const { credentials, compression, progress = SILENT, signal } = options
  const record = await context.images.findByName(name)
  if (!record) throw (await tagsOf(context, name)).length === 0 ? missing(name) : missingTag(name)
  // Mirrors are for pulling: a push goes to the registry itself, the last of them.
  const registry = context.registryFor(name, credentials).at(-1)
  if (!registry) throw missing(name)
  await using lease = await context.leases.open(`push ${canonicalReference(name)}`)
  const push: Push = { context, name, registry, lease, progress, compression, signal }
  return await pushTo(push, await context.images.open(record.id))
}

function missing(name: Reference): EngineError {
  return new EngineError('not-found', `An image does not exist locally with the tag: ${familiarName(name)}`)
}

function missingTag(name: Reference): EngineError {
  return new EngineError('not-found', `tag does not exist: ${familiarReference(name)}`)
}

async function pushTo(push: Push, image: Image): Promise<Descriptor> {
  const { context, name, registry, lease, progress, signal } = push
  holdImage(lease, image)
  const ids = image.config.rootfs.diff_ids.map(abbreviate)
  for (const id of new Set(ids)) progress({ id, status: 'Preparing' })
  const { manifest, bytes } = await sendBlobs(push, image, ids)
  const digest = await registry.putManifest(name, manifest.mediaType, bytes, signal)
  await context.images.tag({ ...repositoryOf(name), digest }, image.id, { quiet: true })
  emitNamed(context, 'push', name, image.config)
  progress({ status: `${name.tag ?? ''}: digest: ${digest} size: ${bytes.length}` })
  return { mediaType: manifest.mediaType, digest, size: bytes.length }
}

/** Brings the layers and the config there: what is packed now goes out while the next is being packed. */
async function sendBlobs(push: Push, image: Image, ids: readonly string[]): Promise<KnownManifest> {
  const upload = createUpload(push)
  const known = await findManifest(push, image)
  if (known) {
    const { config, layers } = known.manifest
    await allOrFirstFailure([...layers.map((layer, index) => upload(layer, ids[index] ?? '')), upload(config)])
    return known
  }
  return await sendMade(push, image, (blob, index) => upload(blob, index === undefined ? undefined : ids[index]))
}

async function sendMade(
  { context, lease, compression, signal }: Push,
  image: Image,
  upload: (blob: Descriptor, index?: number) => Promise<void>,
): Promise<KnownManifest> {
  const made = makeManifest(context, image, { lease, signal, form: compression, packed: upload })
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest: configDigest(image.id), size: image.configBytes.length }
  await allOrFirstFailure([made.then(() => undefined), upload(config)])
  return await made
}

/** A manifest that the image is known by, if each of its blobs is here or there already: it keeps its digest. */
async function findManifest(push: Push, image: Image): Promise<KnownManifest | undefined> {
  const { context, registry, name, lease, signal } = push
  for (const { digest, mediaType } of image.manifests) {
    if ((await context.content.find(digest)) === undefined) continue
    const bytes = await collect(context.content.read(digest), MAX_MANIFEST)
    const manifest = parseManifest(bytes, mediaType)
    if (!isWanted(push, manifest)) continue
    lease.hold(...manifest.layers.map((layer) => ({ kind: 'blob', id: layer.digest }) as const))
    const isWithin = async (blob: Digest): Promise<boolean> =>
      (await context.content.find(blob)) !== undefined || registry.hasBlob(name.path, blob, signal)
    const within = await Promise.all(manifest.layers.map((layer) => isWithin(layer.digest)))
    if (within.every(Boolean)) return { manifest, bytes }
  }
  return undefined
}

/** Without a wish any form is welcome. */
function isWanted({ compression }: Push, { layers }: Manifest): boolean {
  return compression === undefined || layers.every(({ mediaType }) => layerCompression(mediaType) === compression)
}
