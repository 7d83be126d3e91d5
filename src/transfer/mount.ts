import { collect } from '#base'
import { parseManifest, type Digest, type Reference } from '#oci'
import type { ImageRecord } from '#store/image'
import type { TransferContext } from './context.ts'

const MAX_MANIFEST = 4 << 20

/**
 * Which repositories of the name's registry are known to have a blob: those that an image with that blob was pulled
 * from or pushed to. Looked up once, when first asked.
 */
export function findMountSources(
  context: TransferContext,
  name: Reference,
): (blob: Digest) => Promise<readonly string[]> {
  let survey: Promise<ReadonlyMap<Digest, readonly string[]>> | undefined
  return async (blob) => (await (survey ??= takeSurvey(context, name))).get(blob) ?? []
}

async function takeSurvey(context: TransferContext, name: Reference): Promise<ReadonlyMap<Digest, readonly string[]>> {
  const found = new Map<Digest, string[]>()
  for (const record of await context.images.list()) {
    const paths = repositoriesOf(record, name)
    if (paths.length === 0) continue
    for (const blob of await blobsOf(context, record)) found.set(blob, [...(found.get(blob) ?? []), ...paths])
  }
  return found
}

/** A name with a digest was given by the registry; one with a tag may never have been there. */
function repositoriesOf(record: ImageRecord, { domain, path }: Reference): readonly string[] {
  const there = record.names.filter((known) => known.digest !== undefined && known.domain === domain)
  return there.map((known) => known.path).filter((known) => known !== path)
}

async function blobsOf({ content }: TransferContext, record: ImageRecord): Promise<readonly Digest[]> {
  const blobs: Digest[] = []
  for (const { digest, mediaType } of record.manifests) {
    if ((await content.find(digest)) === undefined) continue
    const manifest = parseManifest(await collect(content.read(digest), MAX_MANIFEST), mediaType)
    blobs.push(manifest.config.digest, ...manifest.layers.map((layer) => layer.digest))
  }
  return blobs
}
