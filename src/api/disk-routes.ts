import type { DiskItem, DiskReport, Engine } from '#engine'
import type { DiskItemJson, DiskReportJson } from '#wire'
import type { Exchange, Route } from '#api/exchange'

/** Disk space by who keeps it; nothing of it is in Docker's API. */
export function diskRoutes({ system }: Pick<Engine, 'system'>): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: '/x/disk',
      async handle({ query, reply }: Exchange) {
        const limit = query.integer('limit')
        reply(200, reportJson(await system.diskReport(limit === undefined ? undefined : Math.max(0, limit))))
      },
    },
  ]
}

function reportJson({ root, total, shares, items, reclaimable }: DiskReport): DiskReportJson {
  return {
    Root: root,
    Total: total,
    Shares: shares.map((share) => ({
      Kind: share.kind,
      Count: share.count,
      Size: share.size,
      Reclaimable: share.reclaimable,
    })),
    Items: items.map(itemJson),
    Reclaimable: { Prune: reclaimable.prune, All: reclaimable.all },
  }
}

function itemJson({ kind, path, id, size, owners, freedBy }: DiskItem): DiskItemJson {
  return {
    Kind: kind,
    Path: path,
    Id: id,
    Size: size,
    Owners: owners.map((owner) => ({ Kind: owner.kind, Id: owner.id, Name: owner.name })),
    FreedBy: freedBy ?? '',
  }
}
