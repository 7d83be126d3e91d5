import { collect, corrupt, internal, isKind, notFound, throwIfCancelled, type Bytes } from '#base'
import { writeTar, type TarSource } from '#archive'
import {
  canonicalReference,
  chainIds,
  configDigest,
  digestOf,
  familiarName,
  familiarReference,
  formatIndex,
  formatManifest,
  formatPlatform,
  hexOf,
  matchPlatform,
  MEDIA_TYPES,
  parseDigest,
  parseManifest,
  parseNamed,
  type ChainId,
  type Descriptor,
  type Digest,
  type ImageId,
  type Manifest,
  type Reference,
} from '#oci'
import type { Image, Images } from '#store/image'
import type { Lease } from '#store/lease'
import { emitId, type TransferContext } from './context.ts'
import { holdImage } from './manifest.ts'
import type { SaveOptions } from './types.ts'

const MAX_MANIFEST = 4 << 20

/** One image as it goes into the archive, with the tagged names it goes under. */
interface SavedImage {
  readonly image: Image
  readonly names: readonly Reference[]
  readonly manifest: Descriptor
  readonly layers: readonly Descriptor[]
}

/** What a file of the archive holds; a stream is opened when its turn comes. */
interface SavedBlob {
  readonly size: number
  open(): Bytes | Uint8Array
}

type Blobs = Map<Digest, SavedBlob>

export async function* saveImages(
  context: TransferContext,
  texts: readonly string[],
  { signal, platform }: SaveOptions = {},
): Bytes {
  await using lease = await context.leases.open(`save ${texts.join(' ')}`)
  const blobs: Blobs = new Map()
  const saved: SavedImage[] = []
  for (const [id, names] of await selectImages(context, texts)) {
    throwIfCancelled(signal, 'save')
    const image = await context.images.open(id)
    if (platform && !matchPlatform(platform, image.config))
      throw internal(`no suitable export target found for platform ${formatPlatform(platform)}`)
    saved.push(await planImage({ context, lease, blobs, signal }, image, names))
  }
  for await (const chunk of writeTar(members(saved, blobs))) {
    throwIfCancelled(signal, 'save')
    yield chunk
  }
  for (const { image } of saved) emitId(context, 'save', image.id, image.config.config.Labels)
}

/** Image to the names that were asked for; a name without tag means every tag of its repository. */
async function selectImages(
  { images }: TransferContext,
  texts: readonly string[],
): Promise<ReadonlyMap<ImageId, readonly Reference[]>> {
  const selected = new Map<ImageId, Map<string, Reference>>()
  const add = (id: ImageId, names: readonly Reference[]): void => {
    const known = selected.get(id) ?? new Map<string, Reference>()
    for (const name of names) known.set(canonicalReference(name), name)
    selected.set(id, known)
  }
  const all = await images.list()
  for (const text of texts) {
    const wanted = namedBy(text)
    const owners = all.filter((record) => wanted && record.names.some((name) => isWanted(name, wanted)))
    for (const record of owners)
      add(
        record.id,
        record.names.filter((name) => wanted && isWanted(name, wanted)),
      )
    if (owners.length > 0) continue
    add(await idOf(images, text, wanted), [])
  }
  return new Map([...selected].map(([id, names]) => [id, [...names.values()]]))
}

/** What is no tag: a digest, an id, or its beginning. */
async function idOf(images: Images, text: string, name: Reference | undefined): Promise<ImageId> {
  try {
    return (await images.resolve(text)).id
  } catch (error) {
    if (isKind(error, 'not-found') && name && name.tag === undefined) throw notFound('image', familiarReference(name))
    throw error
  }
}

/** Undefined for a whole id. */
function namedBy(text: string): Reference | undefined {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(text) ? undefined : parseNamed(text)
}

function isWanted(name: Reference, wanted: Reference): boolean {
  if (name.tag === undefined || wanted.digest !== undefined) return false
  const sameRepository = name.domain === wanted.domain && name.path === wanted.path
  return sameRepository && (wanted.tag === undefined || wanted.tag === name.tag)
}

interface Plan {
  readonly context: TransferContext
  readonly lease: Lease
  readonly blobs: Blobs
  readonly signal: AbortSignal | undefined
}

async function planImage(plan: Plan, image: Image, names: readonly Reference[]): Promise<SavedImage> {
  const { lease, blobs } = plan
  holdImage(lease, image)
  blobs.set(configDigest(image.id), inMemory(image.configBytes))
  const known = (await knownManifest(plan, image)) ?? (await plainManifest(plan, image))
  const bytes = known.bytes
  const manifest = { mediaType: known.manifest.mediaType, digest: digestOf(bytes), size: bytes.length }
  blobs.set(manifest.digest, inMemory(bytes))
  return { image, names, manifest, layers: known.manifest.layers }
}

interface PlannedManifest {
  readonly manifest: Manifest
  readonly bytes: Uint8Array
}

/** The manifest that the image came with, where each of its blobs is here: the archive then has the same digests. */
async function knownManifest({ context, lease, blobs }: Plan, image: Image): Promise<PlannedManifest | undefined> {
  const { content } = context
  for (const { digest, mediaType } of image.manifests) {
    if ((await content.find(digest)) === undefined) continue
    const bytes = await collect(content.read(digest), MAX_MANIFEST)
    const manifest = parseManifest(bytes, mediaType)
    lease.hold(...manifest.layers.map((layer) => ({ kind: 'blob', id: layer.digest }) as const))
    const found = await Promise.all(manifest.layers.map((layer) => content.find(layer.digest)))
    if (found.includes(undefined)) continue
    // A file of another size is told of while there is still a status to tell it by.
    await Promise.all(manifest.layers.map((layer) => content.path(layer.digest)))
    for (const layer of manifest.layers) {
      blobs.set(layer.digest, { size: layer.size, open: () => content.read(layer.digest) })
    }
    return { manifest, bytes }
  }
  return undefined
}

/** A manifest of plain tars, as Docker's own archives have them: the digest of each is its diff id. */
async function plainManifest({ context, blobs, signal }: Plan, image: Image): Promise<PlannedManifest> {
  const diffIds = image.config.rootfs.diff_ids
  const layers = await Promise.all(
    chainIds(diffIds).map(async (chain: ChainId, index): Promise<Descriptor> => {
      const layer = await context.layers.find(chain)
      if (!layer) throw corrupt(`cannot save image ${image.id}: its layer ${chain} is missing`)
      const digest = parseDigest(diffIds[index] ?? '')
      blobs.set(digest, { size: layer.size, open: () => context.layers.tar(layer, signal) })
      return { mediaType: MEDIA_TYPES.ociLayer, digest, size: layer.size }
    }),
  )
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest: configDigest(image.id), size: image.configBytes.length }
  const manifest: Manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers }
  return { manifest, bytes: formatManifest(manifest) }
}

function inMemory(bytes: Uint8Array): SavedBlob {
  return { size: bytes.length, open: () => bytes }
}

/** The tar's members in the order in which Docker writes them; all times are the epoch. */
function* members(saved: readonly SavedImage[], blobs: Blobs): Iterable<TarSource> {
  yield { kind: 'directory', path: 'blobs/', mode: 0o755 }
  yield { kind: 'directory', path: 'blobs/sha256/', mode: 0o755 }
  for (const [digest, blob] of [...blobs].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    yield { kind: 'file', path: blobPath(digest), mode: 0o644, size: blob.size, body: blob.open() }
  }
  yield file('index.json', formatIndex(indexOf(saved)))
  yield file('manifest.json', Buffer.from(`${JSON.stringify(saved.map(dockerEntry))}\n`))
  yield file('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'))
  const repositories = repositoriesOf(saved)
  if (Object.keys(repositories).length > 0) yield file('repositories', Buffer.from(`${JSON.stringify(repositories)}\n`))
}

function file(path: string, body: Uint8Array): TarSource {
  return { kind: 'file', path, mode: 0o644, body }
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`
}

function indexOf(saved: readonly SavedImage[]) {
  const manifests = saved.flatMap(({ names, manifest }) =>
    names.length === 0 ? [manifest] : names.map((name) => ({ ...manifest, annotations: nameAnnotations(name) })),
  )
  return { schemaVersion: 2 as const, mediaType: MEDIA_TYPES.ociIndex, manifests }
}

function nameAnnotations(name: Reference): Record<string, string> {
  return {
    'io.containerd.image.name': canonicalReference(name),
    'org.opencontainers.image.ref.name': name.tag ?? '',
  }
}

function dockerEntry({ image, names, layers }: SavedImage): object {
  return {
    Config: blobPath(configDigest(image.id)),
    RepoTags: names.length === 0 ? null : names.map(familiarReference),
    Layers: layers.map((layer) => blobPath(layer.digest)),
  }
}

/** The oldest form of names: repository, tag, topmost layer. */
function repositoriesOf(saved: readonly SavedImage[]): Record<string, Record<string, string>> {
  const found = new Map<string, Map<string, string>>()
  for (const { names, layers } of saved) {
    const top = layers.at(-1)
    for (const name of top ? names : []) {
      const tags = found.get(familiarName(name)) ?? new Map<string, string>()
      found.set(familiarName(name), tags.set(name.tag ?? '', top ? hexOf(top.digest) : ''))
    }
  }
  return Object.fromEntries([...found].map(([name, tags]) => [name, Object.fromEntries(tags)]))
}
