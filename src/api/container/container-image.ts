import type { ContainerRecord, ImageSummary } from '#engine'
import { canonicalReference, familiarReference } from '#oci'

/**
 * How `docker ps` names a container's image: as it was asked for, as long as that still means the same image, else by
 * the image's id.
 */
export function imageLabels(images: readonly ImageSummary[]): (record: ContainerRecord) => string {
  const byId = new Map<string, ImageSummary['record']>(images.map(({ record }) => [record.id, record]))
  // Of some hundred images a few have containers: only these are spelled out.
  const spelled = new Map<string, ReadonlySet<string>>()
  const namesOf = (id: string): ReadonlySet<string> | undefined => {
    const record = byId.get(id)
    if (record === undefined) return undefined
    const names = spelled.get(id) ?? new Set(record.names.flatMap((name) => spellings(name)))
    spelled.set(id, names)
    return names
  }
  return ({ image, imageName }) => {
    const names = namesOf(image)
    if (names === undefined) return image
    const isId = image === imageName || image.startsWith(`sha256:${imageName}`)
    return isId || names.has(imageName) ? imageName : image
  }
}

type Name = ImageSummary['record']['names'][number]

/** A name as people may write it: with and without its default registry, and without the tag that is understood. */
function spellings(name: Name): readonly string[] {
  const full = [familiarReference(name), canonicalReference(name)]
  return full.flatMap((text) => [text, text.replace(/:latest$/, '')])
}
