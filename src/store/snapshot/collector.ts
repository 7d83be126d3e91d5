import type { Resource } from '#store/lease'
import { resourceKey } from '#store/lease'
import { type SnapshotRecords, parseSnapshotId } from './records.ts'
import type { Trash } from './trash.ts'
import type { SnapshotCollector, SnapshotId } from './types.ts'

export function createCollector(records: SnapshotRecords, trash: Trash): SnapshotCollector {
  return {
    roots: () => [],
    *edges(from) {
      if (from.kind !== 'snapshot') return
      const id = parseSnapshotId(from.id)
      if (id === undefined) {
        const named = records.findChain(from.id)
        if (named) yield snapshotResource(named.id)
        return
      }
      const parent = records.find(id)?.parent
      if (parent !== undefined) yield snapshotResource(parent)
    },
    edgesNow() {
      const all = records.list()
      const parents = new Map(all.map(({ id, parent }) => [String(id), parent]))
      const chains = new Map(all.map(({ id, chain }) => [String(chain), id]))
      return function* ({ kind, id }) {
        const next = kind === 'snapshot' ? (chains.get(id) ?? parents.get(id)) : undefined
        if (next !== undefined) yield snapshotResource(next)
      }
    },
    sweep(live) {
      const dead = records.list().filter((record) => !live.has(resourceKey(snapshotResource(record.id))))
      // ids grow: children go before their parents
      const ids = dead.map((record) => record.id).toReversed()
      for (const id of ids) records.remove(id)
      return {
        resources: ids.map(snapshotResource),
        async removeBytes() {
          let bytes = 0
          for (const id of ids) bytes += await trash.discard(id)
          return bytes
        },
      }
    },
  }
}

export function snapshotResource(id: SnapshotId): Resource {
  return { kind: 'snapshot', id }
}
