import { chainIds } from '#oci'
import type { ChainId, ImageConfig } from '#oci'
import type { Image, Images } from '#store/image'
import type { Layers } from '#store/layer'
import { instructionOf } from './layers-view.ts'
import type { ConfigDifference, ImageComparison, ImageOrigins, ImageService } from './types.ts'

interface LookingParts {
  readonly images: Images
  readonly layers: Layers
}

/** What is found out about images from their layers alone. */
export function createLooking(parts: LookingParts): Pick<ImageService, 'compare' | 'origins'> {
  return {
    compare: (before, after, options) => compareImages(parts, [before, after], options),
    origins: (name, paths, signal) => originsOf(parts, name, { paths, signal }),
  }
}

async function openImage({ images }: LookingParts, name: string): Promise<Image> {
  return await images.open((await images.resolve(name)).id)
}

function chainsOf(image: Image): readonly ChainId[] {
  return chainIds(image.config.rootfs.diff_ids)
}

async function compareImages(
  parts: LookingParts,
  [one, other]: readonly [string, string],
  { times, signal }: { readonly times: boolean; readonly signal: AbortSignal },
): Promise<ImageComparison> {
  const [before, after] = [await openImage(parts, one), await openImage(parts, other)]
  const [then, now] = [chainsOf(before), chainsOf(after)]
  const stacks = { before: then.at(-1), after: now.at(-1), times }
  return {
    before: { id: before.id, layers: then.length },
    after: { id: after.id, layers: now.length },
    sharedLayers: then.filter((chain, index) => now[index] === chain).length,
    config: compareConfigs(before.config, after.config),
    files: parts.layers.compare(stacks, signal),
  }
}

async function originsOf(
  parts: LookingParts,
  name: string,
  { paths, signal }: { readonly paths: readonly string[]; readonly signal: AbortSignal },
): Promise<ImageOrigins> {
  const image = await openImage(parts, name)
  const instructions = image.config.history.filter((entry) => entry.empty_layer !== true)
  return {
    image: image.id,
    layers: image.config.rootfs.diff_ids.map((diffId, index) => ({
      diffId,
      instruction: instructionOf(instructions[index]),
    })),
    paths: parts.layers.origins(chainsOf(image).at(-1), paths, signal),
  }
}

/** The members of two configs that say something different; what is null or empty says nothing. */
function compareConfigs(before: ImageConfig, after: ImageConfig): readonly ConfigDifference[] {
  const [then, now] = [membersOf(before), membersOf(after)]
  const names = [...new Set([...Object.keys(then), ...Object.keys(now)])].toSorted()
  return names.flatMap((field): ConfigDifference[] => {
    const [was, is] = [said(then[field]), said(now[field])]
    return canonical(was) === canonical(is) ? [] : [{ field, before: was, after: is }]
  })
}

function membersOf({ os, architecture, variant, author, config }: ImageConfig): Readonly<Record<string, unknown>> {
  return { ...config, Architecture: architecture, Author: author, Os: os, Variant: variant }
}

function said(value: unknown): unknown {
  if (value === null || value === '' || value === false) return undefined
  return typeof value === 'object' && Object.keys(value).length === 0 ? undefined : value
}

/** Equal for equal values, whatever the order of an object's keys. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
