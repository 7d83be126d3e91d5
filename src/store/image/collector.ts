import { parseImageId } from '#oci'
import type { Database } from '#store/db'
import type { Clock } from '#base'
import { imageRecords } from './records.ts'
import type { ImageCollector } from './types.ts'

/** What images keep alive; see `ImageCollector`. */
export function createImageCollector(options: { readonly database: Database; readonly clock: Clock }): ImageCollector {
  const records = imageRecords(options.database, options.clock)
  return {
    roots: () => records.ids().map((id) => ({ kind: 'image', id })),
    *edges(from) {
      if (from.kind !== 'image') return
      const id = parseImageId(from.id)
      const chain = records.chainOf(id)
      yield { kind: 'blob', id }
      for (const digest of records.blobsOf(id)) yield { kind: 'blob', id: digest }
      if (chain !== undefined) yield { kind: 'snapshot', id: chain }
    },
    edgesNow() {
      const holdings = records.holdings()
      return function* ({ kind, id }) {
        if (kind !== 'image') return
        yield { kind: 'blob', id }
        const held = holdings.get(id)
        for (const digest of held?.blobs ?? []) yield { kind: 'blob', id: digest }
        if (held?.chain !== undefined) yield { kind: 'snapshot', id: held.chain }
      }
    },
    sweep: () => ({ resources: [], removeBytes: async () => 0 }),
  }
}
