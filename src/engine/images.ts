import { applyChanges } from '#builder'
import type { ContainerService } from '#container'
import type { EventBus } from '#event'
import { chainIds, familiarReference } from '#oci'
import type { ChainId, HistoryEntry, ImageId } from '#oci'
import type { Image, ImageRecord, Images } from '#store/image'
import type { LayerRecord, Layers } from '#store/layer'
import type { OpenSnapshots } from '#store/snapshot'
import type { Transfer } from '#transfer'
import { viewLayers } from './layers-view.ts'
import { createLooking } from './looking.ts'
import { pruneImages } from './prune-images.ts'
import { removeImage } from './remove-image.ts'
import { openScene } from './removal-scene.ts'
import type { HistoryRow, ImageService, ImageSummary } from './types.ts'

export interface ImageServiceParts {
  readonly images: Images
  readonly layers: Layers
  readonly transfer: Transfer
  readonly events: EventBus
  readonly containers: ContainerService
  readonly snapshots: Pick<OpenSnapshots, 'list'>
  /** Starts a collection soon; what was removed gives its bytes back. */
  readonly collectSoon: () => void
  /** One collection now; bytes that came back. With `downloads` interrupted ones go too. */
  readonly collect: (options?: { readonly downloads: boolean }) => Promise<number>
}

export function createImageService(parts: ImageServiceParts): ImageService {
  const { images, transfer } = parts
  return {
    transfer,
    list: () => summarize(parts),
    get: async (name) => await summaryOf(parts, (await images.resolve(name)).id),
    history: async (name) => await history(parts, await images.open((await images.resolve(name)).id)),
    layers: (name) => viewLayers(parts, name),
    ...createLooking(parts),
    tag: async (name, to) => await images.tag(to, (await images.resolve(name)).id),
    async remove(name, options) {
      const removed = await removeImage(await openScene(parts), name, options)
      parts.collectSoon()
      return removed
    },
    prune: (options) => pruneImages(parts, () => summarize(parts), options),
    descriptorOf: (record) => record.manifests[0],
    applyChanges,
  }
}

/** Everything that a list of images needs, gathered once for all of them. */
interface Survey {
  readonly sizes: ReadonlyMap<ChainId, number>
  readonly owners: ReadonlyMap<ChainId, number>
  readonly users: ReadonlyMap<ImageId, number>
}

async function summarize(parts: ImageServiceParts): Promise<readonly ImageSummary[]> {
  const opened = await Promise.all((await parts.images.list()).map((record) => parts.images.open(record.id)))
  const survey = await takeSurvey(parts, opened)
  return opened.map((image) => summaryFrom(image, survey))
}

async function summaryOf(parts: ImageServiceParts, id: ImageId): Promise<ImageSummary> {
  const found = (await summarize(parts)).find((summary) => summary.record.id === id)
  return found ?? summaryFrom(await parts.images.open(id), { sizes: new Map(), owners: new Map(), users: new Map() })
}

async function takeSurvey(parts: ImageServiceParts, opened: readonly Image[]): Promise<Survey> {
  const sizes = new Map((await parts.layers.list()).map((layer: LayerRecord) => [layer.chain, layer.content]))
  const owners = new Map<ChainId, number>()
  for (const image of opened)
    for (const chain of chainIds(image.config.rootfs.diff_ids)) owners.set(chain, (owners.get(chain) ?? 0) + 1)
  const users = new Map<ImageId, number>()
  for (const container of await parts.containers.list())
    users.set(container.image, (users.get(container.image) ?? 0) + 1)
  return { sizes, owners, users }
}

function summaryFrom(image: Image, survey: Survey): ImageSummary {
  const chains = chainIds(image.config.rootfs.diff_ids)
  const sum = (wanted: (chain: ChainId) => boolean): number =>
    chains.reduce((total, chain) => total + (wanted(chain) ? (survey.sizes.get(chain) ?? 0) : 0), 0)
  return {
    record: image,
    image,
    size: sum(() => true),
    sharedSize: sum((chain) => (survey.owners.get(chain) ?? 0) > 1),
    containers: survey.users.get(image.id) ?? 0,
  }
}

/** Rows newest first; the n-th entry that is not marked empty owns the n-th layer (image-spec, config.md «history»). */
async function history(parts: ImageServiceParts, image: Image): Promise<readonly HistoryRow[]> {
  const sizes = new Map((await parts.layers.list()).map((layer) => [layer.chain, layer.content]))
  const chains = chainIds(image.config.rootfs.diff_ids)
  const known = await ancestors(parts.images, image)
  let layer = 0
  const rows = image.config.history.map((entry: HistoryEntry, index): HistoryRow => {
    const chain = entry.empty_layer ? undefined : chains[layer++]
    const owner = known.find((candidate) => candidate.config.history.length === index + 1)
    const size = chain === undefined ? 0 : (sizes.get(chain) ?? 0)
    return {
      entry,
      size,
      ...(owner && { image: owner.id }),
      tags: owner ? owner.names.map((name) => familiarReference(name)) : [],
    }
  })
  return rows.toReversed()
}

/** The image itself and the images it was made from, as far as they are here. */
async function ancestors(images: Images, image: Image): Promise<readonly Image[]> {
  const known = new Map((await images.list()).map((record: ImageRecord) => [record.id, record]))
  const line: Image[] = [image]
  let parent = image.parent
  while (parent !== undefined && known.has(parent) && !line.some((seen) => seen.id === parent)) {
    const opened = await images.open(parent)
    line.push(opened)
    parent = opened.parent
  }
  return line
}
