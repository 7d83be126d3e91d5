import { collect, corrupt, invalid, unsupported } from '#base'
import * as v from 'valibot'
import {
  choosePlatform,
  hostPlatform,
  isAttestation,
  isIndexType,
  isManifestType,
  MEDIA_TYPES,
  parseAnyManifest,
  parseDigest,
  parseImageConfig,
  parseIndex,
  parseNamed,
  parseReference,
  type Descriptor,
  type Manifest,
  type Platform,
  type Reference,
} from '#oci'
import type { ContentStore } from '#store/content'
import type { ArchiveBlob, ArchiveFiles } from './archive-files.ts'

const MAX_CONFIG = 16 << 20
const MAX_MANIFEST = 4 << 20
/** Indexes inside indexes. */
const MAX_DEPTH = 3

export interface ArchiveLayer {
  readonly descriptor: Descriptor
}

/** An image as an archive describes it, checked: every file that it needs is a blob in the store. */
export interface ArchiveImage {
  readonly configBytes: Uint8Array
  /** Bottom first, one for each diff id of the config. */
  readonly layers: readonly ArchiveLayer[]
  readonly names: readonly Reference[]
  readonly manifest?: { readonly descriptor: Descriptor; readonly bytes: Uint8Array }
}

const text = v.string()
const dockerEntries = v.array(
  v.object({ Config: text, RepoTags: v.nullish(v.array(text)), Layers: v.nullish(v.array(text)) }),
)

type Content = Pick<ContentStore, 'read'>

/** Docker's `manifest.json` goes first: it has the names; the manifests of an OCI layout beside it are kept with the images. */
export async function readArchiveImages(
  files: ArchiveFiles,
  content: Content,
  platform: Platform = hostPlatform(),
): Promise<readonly ArchiveImage[]> {
  const docker = files.document('manifest.json')
  const index = files.document('index.json')
  const described = index ? await readOciImages(files, content, { index, platform }) : []
  if (docker) return readDockerImages(files, content, { docker, described })
  if (index) return described
  if (files.document('repositories')) {
    throw unsupported('Docker Image Format v1 is not supported: save the image again with a newer docker')
  }
  throw invalid('invalid archive: does not contain a manifest.json')
}

async function readDockerImages(
  files: ArchiveFiles,
  content: Content,
  { docker, described }: { readonly docker: Uint8Array; readonly described: readonly ArchiveImage[] },
): Promise<readonly ArchiveImage[]> {
  const images: ArchiveImage[] = []
  for (const entry of parseDockerEntries(docker)) {
    const configBytes = await collect(content.read(needBlob(files, entry.Config).digest), MAX_CONFIG)
    const layers = (entry.Layers ?? []).map((path) => layerOf(needBlob(files, path)))
    checkLayers(configBytes, layers.length)
    const names = (entry.RepoTags ?? []).map(parseReference)
    const same = described.find(
      (image) => Buffer.from(image.configBytes).equals(configBytes) && sameLayers(image, layers),
    )
    images.push({
      configBytes,
      layers: same?.layers ?? layers,
      names,
      ...(same?.manifest && { manifest: same.manifest }),
    })
  }
  return images
}

function parseDockerEntries(bytes: Uint8Array): v.InferOutput<typeof dockerEntries> {
  try {
    return v.parse(dockerEntries, JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch (error) {
    throw invalid('invalid archive: manifest.json cannot be read', { cause: error })
  }
}

function needBlob(files: ArchiveFiles, path: string): ArchiveBlob {
  const blob = files.blob(path)
  if (!blob) throw invalid(`invalid archive: ${JSON.stringify(path.slice(0, 200))} is missing`)
  return blob
}

function layerOf({ digest, size, compression }: ArchiveBlob): ArchiveLayer {
  switch (compression) {
    case 'gzip':
      return { descriptor: { mediaType: MEDIA_TYPES.ociLayerGzip, digest, size } }
    case 'zstd':
      return { descriptor: { mediaType: MEDIA_TYPES.ociLayerZstd, digest, size } }
    case 'plain':
    case 'bzip2':
    case 'xz':
      return { descriptor: { mediaType: MEDIA_TYPES.ociLayer, digest, size } }
  }
}

function sameLayers(image: ArchiveImage, layers: readonly ArchiveLayer[]): boolean {
  if (image.layers.length !== layers.length) return false
  return image.layers.every(({ descriptor }, index) => descriptor.digest === layers[index]?.descriptor.digest)
}

function checkLayers(configBytes: Uint8Array, layers: number): void {
  const diffIds = parseImageConfig(configBytes).rootfs.diff_ids.length
  if (layers === diffIds) return
  throw corrupt(`invalid archive: an image has ${layers} layers, its config ${diffIds}`)
}

async function readOciImages(
  files: ArchiveFiles,
  content: Content,
  { index, platform }: { readonly index: Uint8Array; readonly platform: Platform },
): Promise<readonly ArchiveImage[]> {
  const found = new Map<string, ArchiveImage>()
  for (const entry of parseIndex(index).manifests) {
    if (isAttestation(entry)) continue
    const image = await readOciImage(files, content, { entry, platform })
    if (!image) continue
    const name = nameOf(entry)
    const known = found.get(entry.digest) ?? image
    found.set(entry.digest, { ...known, names: name ? [...known.names, name] : known.names })
  }
  return [...found.values()]
}

/** Undefined for what is no image: an artifact, or an index whose images for other machines were left out. */
async function readOciImage(
  files: ArchiveFiles,
  content: Content,
  { entry, platform }: { readonly entry: Descriptor; readonly platform: Platform },
): Promise<ArchiveImage | undefined> {
  let at: Descriptor | undefined = entry
  for (let depth = 0; at && depth < MAX_DEPTH; depth += 1) {
    if (!isIndexType(at.mediaType) && !isManifestType(at.mediaType)) return undefined
    const blob = files.blobByDigest(at.digest)
    if (!blob) return undefined
    const bytes = await collect(content.read(blob.digest), MAX_MANIFEST)
    const parsed = parseAnyManifest(bytes, at.mediaType)
    if (parsed.kind === 'manifest') return imageOf(files, content, { manifest: parsed.manifest, bytes, entry: at })
    const here = parsed.index.manifests.filter(({ digest }) => files.blobByDigest(digest))
    at = choosePlatform(
      here.filter((one) => !isAttestation(one)),
      platform,
    )
  }
  return undefined
}

async function imageOf(
  files: ArchiveFiles,
  content: Content,
  { manifest, bytes, entry }: { readonly manifest: Manifest; readonly bytes: Uint8Array; readonly entry: Descriptor },
): Promise<ArchiveImage | undefined> {
  const config = files.blobByDigest(manifest.config.digest)
  const isImage =
    manifest.config.mediaType === MEDIA_TYPES.ociConfig || manifest.config.mediaType === MEDIA_TYPES.dockerConfig
  if (!config || !isImage) return undefined
  const configBytes = await collect(content.read(config.digest), MAX_CONFIG)
  const layers = manifest.layers.map((layer): ArchiveLayer => {
    const blob = files.blobByDigest(layer.digest)
    if (!blob) throw invalid(`invalid archive: layer ${layer.digest} is missing`)
    if (blob.size !== layer.size)
      throw corrupt(`invalid archive: layer ${layer.digest} has ${blob.size} bytes, not ${layer.size}`)
    return { descriptor: layer }
  })
  checkLayers(configBytes, layers.length)
  const descriptor = { mediaType: manifest.mediaType, digest: parseDigest(entry.digest), size: bytes.length }
  return { configBytes, layers, names: [], manifest: { descriptor, bytes } }
}

/** containerd's annotation has the whole name; the specification's has it with some tools, with others the tag alone. */
function nameOf({ annotations = {} }: Descriptor): Reference | undefined {
  const whole = annotations['io.containerd.image.name']
  if (whole !== undefined) return parseReference(whole)
  const name = annotations['org.opencontainers.image.ref.name']
  if (name === undefined || !/[/:]/.test(name)) return undefined
  const reference = parseNamed(name)
  return reference.tag === undefined ? undefined : reference
}
