import type { Clock } from '#base'
import type { Database } from '#store/db'
import { hubRecords } from './records.ts'
import type { HubCollector } from './types.ts'

/** See `HubCollector`. */
export function createHubCollector(options: { readonly database: Database; readonly clock: Clock }): HubCollector {
  const records = hubRecords(options.database, options.clock)
  return {
    roots: () => records.kept().map((digest) => ({ kind: 'blob', id: digest })),
    edges: () => [],
    sweep() {
      records.forgetOld()
      return { resources: [], removeBytes: async () => 0 }
    },
  }
}
