import type { ContainerRecord, ImageSummary } from '#engine'
import { canonicalReference, familiarReference } from '#oci'

/**
 * How `docker ps` names a container's image: as it was asked for, as long as that still means the same image, else by
 * the image's id.
 */
export function imageLabels(images: readonly ImageSummary[]): (record: ContainerRecord) => string {
  const namesOf = new Map<string, ReadonlySet<string>>(
    images.map(({ record }) => [record.id, new Set(record.names.flatMap((name) => spellings(name)))]),
  )
  return ({ image, imageName }) => {
    const names = namesOf.get(image)
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
