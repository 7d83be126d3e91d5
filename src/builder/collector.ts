import type { Clock } from '#base'
import type { Database } from '#store/db'
import type { Collector } from '#store/gc'
import { cacheRecords } from './records.ts'

/** Cache records keep the roots that they name. */
export function createCacheCollector(options: { readonly database: Database; readonly clock: Clock }): Collector {
  const records = cacheRecords(options.database, options.clock)
  return {
    roots: () => records.chains().map(({ key }) => ({ kind: 'cache', id: key })),
    *edges(from) {
      const chain = from.kind === 'cache' ? records.chainOf(from.id) : undefined
      if (chain !== undefined) yield { kind: 'snapshot', id: chain }
    },
    sweep: () => ({ resources: [], removeBytes: async () => 0 }),
  }
}
