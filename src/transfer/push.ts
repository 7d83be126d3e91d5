import { abbreviate, EngineError, invalid } from '#base'
import {
  canonicalReference,
  configDigest,
  familiarName,
  familiarReference,
  MEDIA_TYPES,
  repositoryOf,
  withDefaultTag,
  type Descriptor,
  type Reference,
} from '#oci'
import type { Image } from '#store/image'
import { emitNamed, SILENT, type TransferContext } from './context.ts'
import { findManifest } from './known-manifest.ts'
import { allOrFirstFailure, holdImage, makeManifest, type KnownManifest } from './manifest.ts'
import type { ProgressSink, PushOptions } from './types.ts'
import { createUpload, type Push } from './upload.ts'

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
  const push: Push = { context, name, registry, credentials, lease, progress, compression, signal }
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
  if (compression !== undefined) await keepFirst(context, image)
  return await made
}

/** The newest manifest is what an image goes out with by itself: one that was wished for once does not become it. */
async function keepFirst({ content, images }: TransferContext, { id, manifests: [first] }: Image): Promise<void> {
  if (first && (await content.find(first.digest))) await images.addManifest(id, first)
}
