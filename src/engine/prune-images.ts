import type { Leases } from '#store/lease'
import { openScene } from './removal-scene.ts'
import type { SceneParts } from './removal-scene.ts'
import { removeImage } from './remove-image.ts'
import type { RemovalScene } from './remove-image.ts'
import type { ImageSummary, RemovedImage } from './types.ts'

export interface PruneParts extends SceneParts {
  readonly leases: Pick<Leases, 'held'>
  readonly collect: (options?: { readonly downloads: boolean }) => Promise<number>
}

export interface PruneOptions {
  /** Only those without a tag; else interrupted downloads go too. */
  readonly dangling: boolean
  readonly keep: (image: ImageSummary) => boolean
}

/** Removes images that nothing uses; the bytes are those that came back on the disk. */
export async function pruneImages(
  parts: PruneParts,
  list: () => Promise<readonly ImageSummary[]>,
  { dangling, keep }: PruneOptions,
): Promise<{ readonly removed: readonly RemovedImage[]; readonly bytes: number }> {
  const removed: RemovedImage[] = []
  let scene = await openScene(parts)
  for (const summary of childrenFirst(await list())) {
    const named = summary.record.names.some((name) => name.tag !== undefined)
    if (summary.containers > 0 || (dangling && named) || keep(summary)) continue
    if (isHeld(parts, summary)) continue
    removed.push(...(await removeQuietly(scene, summary)))
    const gone = new Set(removed.map(({ deleted }) => deleted))
    scene = { ...scene, all: scene.all.filter(({ id }) => !gone.has(id)), containers: await parts.containers.list() }
  }
  if (dangling && removed.length === 0) return { removed, bytes: 0 }
  return { removed, bytes: await parts.collect({ downloads: !dangling }) }
}

/** One that has just been made, and gets its name in a moment; or that a container is being made of. */
function isHeld({ leases }: PruneParts, { record }: ImageSummary): boolean {
  return leases.held().some(({ kind, id }) => kind === 'image' && id === record.id)
}

/** An image that a child or a container needs stays; that is no failure of a prune. */
async function removeQuietly(scene: RemovalScene, { record }: ImageSummary): Promise<readonly RemovedImage[]> {
  const { id } = record
  const isNeeded = scene.all.some(({ parent }) => parent === id) || scene.containers.some(({ image }) => image === id)
  if (isNeeded || !scene.all.some((image) => image.id === id)) return []
  return await removeImage(scene, id, { force: true, prune: true })
}

/** So that a parent which is to go too is free when its turn comes. */
function childrenFirst(images: readonly ImageSummary[]): readonly ImageSummary[] {
  const byId = new Map(images.map((image) => [image.record.id, image]))
  const sorted: ImageSummary[] = []
  const seen = new Set<ImageSummary>()
  const children = Map.groupBy(images, ({ record }) => byId.get(record.parent ?? record.id))
  const visit = (image: ImageSummary): void => {
    if (seen.has(image)) return
    seen.add(image)
    for (const child of children.get(image) ?? []) visit(child)
    sorted.push(image)
  }
  for (const image of images) visit(image)
  return sorted
}
