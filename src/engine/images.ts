import { applyChanges } from '#builder'
import type { ContainerService } from '#container'
import type { EventBus } from '#event'
import { chainIds, familiarReference } from '#oci'
import type { HistoryEntry } from '#oci'
import type { Image, ImageRecord, Images } from '#store/image'
import type { Layers } from '#store/layer'
import type { Leases } from '#store/lease'
import type { OpenSnapshots } from '#store/snapshot'
import type { Transfer } from '#transfer'
import { viewLayers } from './layers-view.ts'
import { createLooking } from './looking.ts'
import { pruneImages } from './prune-images.ts'
import { tellPrune } from './prune-event.ts'
import { removeImage } from './remove-image.ts'
import { openScene } from './removal-scene.ts'
import { createSummaries } from './summaries.ts'
import type { HistoryRow, ImageService } from './types.ts'

export interface ImageServiceParts {
  readonly images: Images
  readonly layers: Layers
  readonly transfer: Transfer
  readonly fetch: ImageService['fetch']
  readonly events: EventBus
  readonly containers: ContainerService
  readonly leases: Pick<Leases, 'held'>
  readonly snapshots: Pick<OpenSnapshots, 'list' | 'find' | 'lowers'>
  /** Resolves once what nothing needs after a removal is gone. */
  readonly collectAfterRemoval: () => Promise<void>
  /** One collection now; bytes that came back. With `downloads` interrupted ones go too. */
  readonly collect: (options?: { readonly downloads: boolean }) => Promise<number>
}

export function createImageService(parts: ImageServiceParts): ImageService {
  const { images, transfer } = parts
  const summaries = createSummaries(parts)
  return {
    transfer,
    fetch: parts.fetch,
    list: () => summaries.list(),
    get: async (name) => await summaries.of(await images.open((await images.resolve(name)).id)),
    history: async (name) => await history(parts, await images.open((await images.resolve(name)).id)),
    layers: (name) => viewLayers(parts, name),
    ...createLooking(parts),
    tag: async (name, to) => await images.tag(to, (await images.resolve(name)).id),
    async remove(name, options) {
      const removed = await removeImage(await openScene(parts), name, options)
      // as with Docker the layers are gone when the caller hears of it: a pull that follows fetches them
      if (removed.some(({ deleted }) => deleted !== undefined)) await parts.collectAfterRemoval()
      return removed
    },
    prune: async (options) => {
      const pruned = await pruneImages(parts, () => summaries.list(), options)
      tellPrune(parts.events, 'image', pruned.bytes)
      return pruned
    },
    descriptorOf: (record) => record.manifests[0],
    applyChanges,
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
