import { collect, corrupt, EngineError, invalid, throwIfCancelled, unsupported } from '#base'
import {
  canonicalReference,
  choosePlatform,
  familiarReference,
  formatPlatform,
  hostPlatform,
  isAttestation,
  layerCompression,
  matchPlatform,
  MEDIA_TYPES,
  parseAnyManifest,
  parseImageConfig,
  repositoryOf,
  withDefaultTag,
  type Descriptor,
  type ImageConfig,
  type Manifest,
  type Platform,
  type Reference,
} from '#oci'
import type { Registry } from '#registry'
import type { Image } from '#store/image'
import type { Lease } from '#store/lease'
import { emitNamed, SILENT, type TransferContext } from './context.ts'
import { firstThatFulfils } from './endpoints.ts'
import { pullLayers } from './layers.ts'
import type { ProgressSink, TransferOptions } from './types.ts'

/** A config larger than this is refused before it is fetched: real ones are kilobytes. */
const MAX_CONFIG = 16 << 20
/** Indexes inside indexes; real ones have one level. */
const MAX_INDEXES = 3

/** What one pull knows while it goes on. */
interface Pull {
  readonly context: TransferContext
  readonly name: Reference
  readonly registry: Registry
  readonly lease: Lease
  /** Undefined: the host's, or what runs on it. */
  readonly platform: Platform | undefined
  readonly progress: ProgressSink
  readonly signal: AbortSignal | undefined
}

export async function pullImage(
  context: TransferContext,
  reference: Reference,
  options: TransferOptions = {},
): Promise<Image> {
  const name = withDefaultTag(reference)
  await using lease = await context.leases.open(`pull ${canonicalReference(name)}`)
  const { credentials, platform, progress = SILENT, signal } = options
  return await firstThatFulfils(context.registryFor(name, credentials), (registry) =>
    pullFrom({ context, name, registry, lease, platform, progress, signal }),
  )
}

/** Every tag that the first answering registry lists. */
export async function pullAllTags(
  context: TransferContext,
  reference: Reference,
  options: TransferOptions = {},
): Promise<readonly Image[]> {
  const repository = repositoryOf(reference)
  const registries = context.registryFor(repository, options.credentials)
  const tags = await firstThatFulfils(registries, (registry) => registry.tags(repository.path, options.signal))
  const images: Image[] = []
  let news = false
  const progress: ProgressSink = (line) => {
    if (line.status.startsWith('Status: ')) news ||= line.status.startsWith(DOWNLOADED)
    else options.progress?.(line)
  }
  for (const tag of tags) images.push(await pullImage(context, { ...repository, tag }, { ...options, progress }))
  options.progress?.({ status: statusOf(repository, news) })
  return images
}

const DOWNLOADED = 'Status: Downloaded newer image for '

function statusOf(name: Reference, isNew: boolean): string {
  return `${isNew ? DOWNLOADED : 'Status: Image is up to date for '}${familiarReference(name)}`
}

async function pullFrom(pull: Pull): Promise<Image> {
  const { registry, name, signal } = pull
  const root = await registry.resolve(name, signal)
  pull.progress({ id: name.digest ?? name.tag ?? '', status: `Pulling from ${name.path}` })
  const current = await findCurrent(pull, root)
  if (current) return finish(pull, root, current)
  const { descriptor, manifest, bytes } = await fetchManifest(pull, root)
  const configBytes = await fetchConfig(pull, manifest)
  const config = parseImageConfig(configBytes)
  checkConfig(pull, manifest, config)
  await pullLayers(pull.context, manifest.layers, config.rootfs.diff_ids, {
    source: (blob, from, downloadSignal) => registry.blob(name.path, blob, from, downloadSignal),
    lease: pull.lease,
    progress: pull.progress,
    signal,
  })
  throwIfCancelled(signal, `pull of ${familiarReference(name)}`)
  await pull.context.content.put(bytes, pull.lease)
  const { id } = await pull.context.images.create(configBytes, { manifest: descriptor }, pull.lease)
  return finish(pull, root, await pull.context.images.open(id))
}

/** The image that this very manifest or index gave before, if all of it is still here: then nothing is fetched. */
async function findCurrent({ context, name, platform }: Pull, root: Descriptor): Promise<Image | undefined> {
  const record = await context.images.findByName({ ...repositoryOf(name), digest: root.digest })
  if (!record) return undefined
  const image = await context.images.open(record.id)
  if (!matchPlatform(platform ?? hostPlatform(), image.config)) return undefined
  const isUnpacked = record.chain === undefined || (await context.snapshots.find(record.chain)) !== undefined
  return isUnpacked ? image : undefined
}

interface FetchedManifest {
  readonly descriptor: Descriptor
  readonly manifest: Manifest
  readonly bytes: Uint8Array
}

async function fetchManifest(pull: Pull, root: Descriptor): Promise<FetchedManifest> {
  let descriptor = root
  for (let depth = 0; depth < MAX_INDEXES; depth += 1) {
    const bytes = await pull.registry.manifest(pull.name.path, descriptor, pull.signal)
    const found = parseAnyManifest(bytes, descriptor.mediaType)
    if (found.kind === 'manifest') {
      const { mediaType } = found.manifest
      return {
        descriptor: { mediaType, digest: descriptor.digest, size: bytes.length },
        manifest: found.manifest,
        bytes,
      }
    }
    descriptor = choose(found.index.manifests, pull.platform ?? hostPlatform())
  }
  throw invalid(`cannot pull ${familiarReference(pull.name)}: more than ${MAX_INDEXES} indexes inside each other`)
}

function choose(manifests: readonly Descriptor[], platform: Platform): Descriptor {
  const found = choosePlatform(
    manifests.filter((entry) => !isAttestation(entry)),
    platform,
  )
  if (found) return found
  throw new EngineError(
    'not-found',
    `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
  )
}

async function fetchConfig(pull: Pull, { config }: Manifest): Promise<Uint8Array> {
  const { context, registry, name, lease, signal } = pull
  if (!CONFIG_TYPES.has(config.mediaType)) {
    const what = config.mediaType === MEDIA_TYPES.dockerPlugin ? '(plugin config) ' : ''
    throw unsupported(`Encountered remote ${JSON.stringify(config.mediaType)}${what} when fetching: it is no image`)
  }
  if (config.size > MAX_CONFIG) throw invalid(`cannot pull ${name.path}: its config says to be ${config.size} bytes`)
  await context.downloads.fetch(config, {
    source: (blob, from, downloadSignal) => registry.blob(name.path, blob, from, downloadSignal),
    lease,
    progress: SILENT,
    signal,
  })
  return collect(context.content.read(config.digest), MAX_CONFIG)
}

/** Old registries and tools wrote the last three for image configs. */
const CONFIG_TYPES: ReadonlySet<string> = new Set([
  MEDIA_TYPES.ociConfig,
  MEDIA_TYPES.dockerConfig,
  'application/octet-stream',
  'text/html',
  '',
])

function checkConfig(pull: Pull, manifest: Manifest, config: ImageConfig): void {
  const name = familiarReference(pull.name)
  const [layers, diffIds] = [manifest.layers.length, config.rootfs.diff_ids.length]
  if (layers !== diffIds) {
    throw corrupt(`cannot pull ${name}: its manifest has ${layers} layers, its config ${diffIds}`)
  }
  if (config.os !== 'linux') {
    throw unsupported(`image operating system ${JSON.stringify(config.os)} cannot be used on this platform`)
  }
  for (const { mediaType } of manifest.layers) {
    if (layerCompression(mediaType) === undefined) {
      throw unsupported(`cannot pull ${name}: unsupported layer media type ${JSON.stringify(mediaType)}`)
    }
  }
  if (pull.platform === undefined || matchPlatform(pull.platform, config)) return
  const [wanted, actual] = [formatPlatform(pull.platform), formatPlatform(config)]
  pull.progress({
    status: `WARNING: image with reference ${name} was found but does not match the specified platform: wanted ${wanted}, actual: ${actual}`,
  })
}

/** Names, the event, and Docker's last two lines. */
async function finish(pull: Pull, root: Descriptor, image: Image): Promise<Image> {
  const { context, name, progress } = pull
  const before = await context.images.findByName(name)
  if (name.digest === undefined) await context.images.tag(name, image.id, { quiet: true })
  await context.images.tag({ ...repositoryOf(name), digest: root.digest }, image.id, { quiet: true })
  emitNamed(context, 'pull', name, image.config)
  const isNew = before?.id !== image.id
  progress({ status: `Digest: ${root.digest}` })
  progress({ status: statusOf(name, isNew) })
  return context.images.open(image.id)
}
