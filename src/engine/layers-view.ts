import { release } from 'node:os'
import { isKind } from '#base'
import type { ContainerRecord, ContainerService } from '#container'
import { chainIds, familiarReference } from '#oci'
import type { ChainId, HistoryEntry } from '#oci'
import type { Image, Images } from '#store/image'
import type { LayerChanges, Layers, PathChange } from '#store/layer'
import { abbreviate } from '#base'
import type { LayersView, LayerView } from './types.ts'

export interface LayersViewParts {
  readonly images: Images
  readonly layers: Layers
  readonly containers: ContainerService
}

/** The layers of an image, or of a container's image with its writable layer on top, bottom first. */
export async function viewLayers(parts: LayersViewParts, name: string): Promise<LayersView> {
  const container = await findContainer(parts.containers, name)
  const image = container
    ? await parts.images.open(container.image)
    : await parts.images.open((await parts.images.resolve(name)).id)
  const layers = await layersOf(parts, image)
  const view: LayersView = { image: image.id, layers, kernel: release() }
  if (!container) return view
  const [usage, changes] = await Promise.all([
    parts.containers.usage(container.id),
    parts.containers.changes(container.id),
  ])
  return { ...view, writable: { container: container.name, size: usage.size, changes: countChanges(changes) } }
}

async function findContainer(containers: ContainerService, name: string): Promise<ContainerRecord | undefined> {
  try {
    return await containers.get(name)
  } catch (error) {
    if (isKind(error, 'not-found') || isKind(error, 'invalid')) return undefined
    throw error
  }
}

async function layersOf(parts: LayersViewParts, image: Image): Promise<readonly LayerView[]> {
  const chains = chainIds(image.config.rootfs.diff_ids)
  const instructions = image.config.history.filter((entry) => !entry.empty_layer)
  const base = await baseDepth(parts.images, image)
  const others = await layerOwners(parts.images, image)
  return await Promise.all(
    chains.map(async (chain, index) => ({
      chain,
      diffId: image.config.rootfs.diff_ids[index] ?? '',
      role: roleOf(index, chains.length, base),
      instruction: instructionOf(instructions[index]),
      size: (await parts.layers.facts(chain))?.content ?? 0,
      changes: await parts.layers.count(chain),
      sharedWith: others.get(chain) ?? [],
    })),
  )
}

/** Base: what the first FROM brought; top: the last layer above it; intermediate: between. */
function roleOf(index: number, count: number, base: number): LayerView['role'] {
  if (index < base) return 'base'
  return index === count - 1 ? 'top' : 'intermediate'
}

/** How many layers the oldest ancestor known here has; an image without a known parent stands on its first layer. */
async function baseDepth(images: Images, image: Image): Promise<number> {
  const known = new Set((await images.list()).map((record) => record.id))
  let oldest = image
  const seen = new Set([image.id])
  while (oldest.parent !== undefined && known.has(oldest.parent) && !seen.has(oldest.parent)) {
    seen.add(oldest.parent)
    oldest = await images.open(oldest.parent)
  }
  return oldest === image ? Math.min(1, image.config.rootfs.diff_ids.length) : oldest.config.rootfs.diff_ids.length
}

async function layerOwners(images: Images, image: Image): Promise<ReadonlyMap<ChainId, readonly string[]>> {
  const owners = new Map<ChainId, string[]>()
  for (const record of await images.openAll()) {
    if (record.id === image.id) continue
    const first = record.names[0]
    const label = first ? familiarReference(first) : abbreviate(record.id)
    for (const chain of chainIds(record.config.rootfs.diff_ids)) {
      const list = owners.get(chain) ?? []
      list.push(label)
      owners.set(chain, list)
    }
  }
  return owners
}

/** The instruction as it stood in the Dockerfile, out of the classic `created_by` text. */
export function instructionOf(entry: HistoryEntry | undefined): string {
  const text = entry?.created_by ?? ''
  const metadata = /^\/bin\/sh -c #\(nop\)\s+(.*)$/s.exec(text)
  if (metadata) return metadata[1] ?? ''
  const run = /^\/bin\/sh -c (.*)$/s.exec(text)
  return run ? `RUN ${run[1] ?? ''}` : text
}

function countChanges(changes: readonly PathChange[]): LayerChanges {
  const count = (kind: PathChange['kind']): number => changes.filter((change) => change.kind === kind).length
  return { added: count('added'), changed: count('changed'), removed: count('removed') }
}
