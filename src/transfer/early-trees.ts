import { MEDIA_TYPES, parseDiffId } from '#oci'
import type { BlobInfo, Ingest } from '#store/content'
import type { Lease } from '#store/lease'
import type { TransferContext } from './context.ts'

/** Smaller layers are unpacked as fast when all of them are here. */
const MIN_SIZE = 1 << 20

/** Plain layers of an archive, unpacked while they come, before it is known which image they belong to. */
export interface EarlyTrees extends AsyncDisposable {
  arriving(blob: BlobInfo, ingest: Ingest): Promise<void>
}

export function createEarlyTrees(
  { layers, followers }: TransferContext,
  { lease, signal }: { readonly lease: Lease; readonly signal: AbortSignal | undefined },
): EarlyTrees {
  const trees: Promise<AsyncDisposable | undefined>[] = []
  let known: Promise<ReadonlySet<string>> | undefined
  const findKnown = async (): Promise<ReadonlySet<string>> =>
    new Set((await layers.list()).map(({ diffId }): string => diffId))
  return {
    async arriving({ digest, size }, ingest) {
      if (size < MIN_SIZE || (await (known ??= findKnown())).has(digest)) return
      const diffId = parseDiffId(digest)
      const descriptor = { mediaType: MEDIA_TYPES.ociLayer, digest, size }
      const tree = followers.tryRun(async () => {
        await using bytes = await ingest.follow()
        return await layers.unpack(descriptor, diffId, lease, { bytes, ...(signal && { signal }) })
      })
      // what is wrong with a layer is told when it is needed
      trees.push(tree.catch(() => undefined))
    },
    async [Symbol.asyncDispose]() {
      for (const tree of trees) await (await tree)?.[Symbol.asyncDispose]()
    },
  }
}
