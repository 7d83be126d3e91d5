import { collect, conflict, isKind, notFound } from '#base'
import {
  chainIds,
  imageIdOf,
  familiarReference,
  parseManifest,
  withDefaultTag,
  type Descriptor,
  type Digest,
  type ImageId,
  type Reference,
} from '#oci'
import type { Lease } from '#store/lease'
import { createConfigCache, type ConfigCache } from './config-cache.ts'
import { imageRecords, type ImageRecords } from './records.ts'
import { resolveImage } from './resolve.ts'
import type { Image, ImageFacts, ImageRecord, Images, ImagesOptions, TagOptions } from './types.ts'

/** A manifest larger than this is no image's (registries take at most 4 MiB). */
const MAX_MANIFEST = 4 << 20

/** What the functions of this file share. */
interface Parts extends ImagesOptions {
  readonly records: ImageRecords
  readonly configs: ConfigCache
}

export function createImages(options: ImagesOptions): Images {
  const records = imageRecords(options.database, options.clock)
  const parts: Parts = { ...options, records, configs: createConfigCache(options.content) }
  return {
    resolve: async (nameOrId) => resolveImage(records, nameOrId),
    open: (id) => openImage(parts, id),
    create: (config, facts, lease) => createImage(parts, config, facts, lease),
    tag: (name, image, how = {}) => tagImage(parts, name, image, how),
    untag: (name) => untagImage(parts, name),
    addManifest: (image, manifest) => addManifest(parts, image, manifest),
    forgetManifest: async (image, manifest) => records.removeManifest(image, manifest),
    remove: (id) => removeImage(parts, id),
    list: async () => records.list(),
    openAll: openAllOf(parts),
    findByDigest: async (digest) => findByDigest(records, digest),
    async findByName(name) {
      const id = records.idOfName(oneKind(name))
      return id === undefined ? undefined : records.find(id)
    },
  }
}

function getRecord(records: ImageRecords, id: ImageId): ImageRecord {
  const record = records.find(id)
  if (!record) throw notFound('image', id)
  return record
}

async function openImage(parts: Parts, id: ImageId): Promise<Image> {
  const record = getRecord(parts.records, id)
  return { ...record, ...(await parts.configs.read(id)) }
}

function openAllOf({ records, configs }: Parts): Images['openAll'] {
  const opened = new WeakMap<ImageRecord, Image>()
  const open = async (record: ImageRecord): Promise<Image | undefined> => {
    try {
      const image = opened.get(record) ?? { ...record, ...(await configs.read(record.id)) }
      opened.set(record, image)
      return image
    } catch (error) {
      if (isKind(error, 'corrupt') || isKind(error, 'not-found')) return undefined
      throw error
    }
  }
  return async () => (await Promise.all(records.list().map(open))).filter((image) => image !== undefined)
}

async function createImage(parts: Parts, bytes: Uint8Array, facts: ImageFacts, lease: Lease): Promise<Image> {
  const { records, content, database } = parts
  const id = imageIdOf(bytes)
  lease.hold({ kind: 'image', id })
  const { config } = parts.configs.parse(id, bytes)
  await content.put(bytes, lease)
  const blobs = facts.manifest ? await blobsOf(parts, facts.manifest) : []
  database.transaction(() => {
    records.add({ id, chain: chainIds(config.rootfs.diff_ids).at(-1), parent: facts.parent })
    if (facts.manifest) records.addManifest(id, facts.manifest, blobs)
  })
  return { ...getRecord(records, id), config, configBytes: bytes }
}

async function addManifest(parts: Parts, id: ImageId, manifest: Descriptor): Promise<void> {
  const blobs = await blobsOf(parts, manifest)
  parts.database.transaction(() => {
    getRecord(parts.records, id)
    parts.records.addManifest(id, manifest, blobs)
  })
}

async function blobsOf(parts: Parts, { digest, mediaType }: Descriptor): Promise<readonly Digest[]> {
  const manifest = parseManifest(await collect(parts.content.read(digest), MAX_MANIFEST), mediaType)
  return manifest.layers.map((layer) => layer.digest)
}

async function tagImage(parts: Parts, name: Reference, id: ImageId, options: TagOptions): Promise<void> {
  parts.database.transaction(() => {
    getRecord(parts.records, id)
    parts.records.setName(oneKind(name), id)
  })
  if (options.quiet === true) return
  emit(parts, 'tag', id, { labels: await labelsOf(parts, id), name: familiarReference(oneKind(name)) })
}

async function untagImage(parts: Parts, name: Reference): Promise<void> {
  const id = parts.database.transaction(() => {
    const found = parts.records.idOfName(oneKind(name))
    if (found === undefined) throw notFound('image', familiarReference(oneKind(name)))
    parts.records.removeName(oneKind(name))
    return found
  })
  if (name.digest !== undefined) return
  emit(parts, 'untag', id, { labels: await labelsOf(parts, id), name: id })
}

async function removeImage(parts: Parts, id: ImageId): Promise<void> {
  parts.database.transaction(() => {
    const { names } = getRecord(parts.records, id)
    const [first] = names
    if (first) throw conflict(`cannot remove image ${id}: it is still named ${familiarReference(first)}`)
    parts.records.remove(id)
  })
  parts.configs.forget(id)
  emit(parts, 'delete', id, { name: id })
}

function findByDigest(records: ImageRecords, digest: Digest): ImageRecord | undefined {
  const id = [...records.idsWithPrefix(digest.slice('sha256:'.length)), records.idOfManifest(digest)][0]
  return id === undefined ? undefined : records.find(id)
}

/** Docker keeps a name with a tag and a name with a digest as two names; of a name that has both the digest decides. */
function oneKind(name: Reference): Reference {
  const { domain, path, tag, digest } = withDefaultTag(name)
  if (digest !== undefined) return { domain, path, digest }
  return { domain, path, ...(tag !== undefined && { tag }) }
}

type Labels = Readonly<Record<string, string>>

function emit(
  parts: Parts,
  action: 'tag' | 'untag' | 'delete',
  id: ImageId,
  facts: { readonly labels?: Labels; readonly name: string },
): void {
  parts.events.emit({ type: 'image', action, actor: { id, attributes: { ...facts.labels, name: facts.name } } })
}

/** None where the config is damaged: its image must still be renamed and removed. */
async function labelsOf(parts: Parts, id: ImageId): Promise<Labels> {
  try {
    return (await parts.configs.read(id)).config.config.Labels ?? {}
  } catch (error) {
    if (isKind(error, 'corrupt') || isKind(error, 'not-found')) return {}
    throw error
  }
}
