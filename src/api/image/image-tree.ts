import type { ImageSummary } from '#engine'
import type { ImageTreeRowJson } from '#wire'
import { repoTags } from './image-view.ts'

/**
 * Each image with the one it stands on: the parent that is known of it, else the one with the most of its lower layers
 * (the oldest of several).
 */
export function imageTree(images: readonly ImageSummary[]): readonly ImageTreeRowJson[] {
  const byId = new Map(images.map((image) => [image.record.id, image]))
  const oldestFirst = images.toSorted((one, other) => one.created - other.created)
  const byLayers = new Map(oldestFirst.toReversed().map((image) => [keyOf(layersOf(image)), image]))
  return images.map((image) => {
    const { record, size, containers } = image
    const below = (record.parent && byId.get(record.parent)) ?? standsOn(image, byLayers)
    return {
      Id: record.id,
      Below: below?.record.id ?? null,
      RepoTags: repoTags(image),
      Size: size,
      OwnSize: size - (below?.size ?? 0),
      Containers: containers,
    }
  })
}

function standsOn(image: ImageSummary, byLayers: ReadonlyMap<string, ImageSummary>): ImageSummary | undefined {
  const layers = layersOf(image)
  for (let count = layers.length - 1; count > 0; count -= 1) {
    const below = byLayers.get(keyOf(layers.slice(0, count)))
    if (below) return below
  }
  return undefined
}

function layersOf({ image }: ImageSummary): readonly string[] {
  return image.config.rootfs.diff_ids
}

function keyOf(layers: readonly string[]): string {
  return layers.join(' ')
}
