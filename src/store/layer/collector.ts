import { type Database, readText } from '#store/db'
import { type Resource, resourceKey } from '#store/lease'

/** This room's part in a collection (the shape of #store/gc's `Collector`). */
export interface LayerCollector {
  roots(): Iterable<Resource>
  /**
   * From a snapshot whose layer came as a blob to that layer's blobs: it cannot be packed again byte for byte. Blobs of
   * layers made here live as long as a manifest names them.
   */
  edges(from: Resource): Iterable<Resource>
  /** `edges` of this very moment, read at once: for who asks about everything in one turn. */
  edgesNow(): (from: Resource) => Iterable<Resource>
  /** Forgets blobs that go; the layers' own rows go with their snapshots. */
  sweep(live: ReadonlySet<string>): { readonly resources: readonly Resource[]; removeBytes(): Promise<number> }
}

export function createLayerCollector({ database }: { readonly database: Database }): LayerCollector {
  return {
    roots: () => [],
    *edges({ kind, id }) {
      if (kind !== 'snapshot' || !/^\d{1,15}$/.test(id)) return
      const rows = database.all(FOREIGN_BLOBS, Number(id))
      for (const row of rows) yield { kind: 'blob', id: readText(row, 'digest') }
    },
    edgesNow() {
      const rows = database.all(ALL_FOREIGN_BLOBS)
      const blobs = Map.groupBy(rows, (row) => String(row['snapshot']))
      return function* ({ kind, id }) {
        const found = kind === 'snapshot' ? blobs.get(id) : undefined
        for (const row of found ?? []) yield { kind: 'blob', id: readText(row, 'digest') }
      }
    },
    sweep(live) {
      const known = database.all('SELECT DISTINCT digest FROM layer_blob').map((row) => readText(row, 'digest'))
      for (const digest of known) {
        if (!live.has(resourceKey({ kind: 'blob', id: digest }))) {
          database.run('DELETE FROM layer_blob WHERE digest = ?', digest)
        }
      }
      return { resources: [], removeBytes: async () => 0 }
    },
  }
}

const ALL_FOREIGN_BLOBS = `
SELECT layer.snapshot AS snapshot, digest FROM layer JOIN layer_blob ON layer_blob.diff_id = layer.diff_id
WHERE rules IS NULL
`

const FOREIGN_BLOBS = `
SELECT digest FROM layer_blob
WHERE diff_id IN (SELECT diff_id FROM layer WHERE snapshot = ?1 AND rules IS NULL)
`
