import type { HistoryRow, ImageFigures, ImageSummary, LayersView, RemovedImage } from '#engine'
import { familiarName, familiarReference } from '#oci'
import {
  type ApiVersion,
  compareVersions,
  type HistoryJson,
  type ImageSummaryJson,
  type LayersJson,
  type RemovedImageJson,
} from '#wire'
import { secondsOfText } from '#api/exchange'

/** A row of GET /images/json. */
export function imageSummary(summary: ImageSummary, sharedSize: boolean): ImageSummaryJson {
  const { record, image } = summary
  return {
    Containers: summary.containers,
    Created: Math.floor(summary.created / 1000),
    Id: record.id,
    Labels: image.config.config.Labels ?? null,
    ParentId: record.parent ?? '',
    RepoDigests: repoDigests(summary),
    RepoTags: repoTags(summary),
    SharedSize: sharedSize ? summary.sharedSize : -1,
    Size: summary.size,
  }
}

/** Up to here `VirtualSize` repeats the size. */
const NO_VIRTUAL_SIZE_SINCE = { major: 1, minor: 44 }

export function withVirtualSize(row: ImageSummaryJson, version: ApiVersion): ImageSummaryJson {
  return compareVersions(version, NO_VIRTUAL_SIZE_SINCE) < 0 ? { ...row, VirtualSize: row.Size } : row
}

/** A row of GET /images/{name}/history. */
export function historyJson(row: HistoryRow): HistoryJson {
  return {
    Comment: row.entry.comment ?? '',
    Created: secondsOfText(row.entry.created),
    CreatedBy: row.entry.created_by ?? '',
    Id: row.image ?? '<missing>',
    Size: row.size,
    Tags: row.tags.length > 0 ? row.tags : null,
  }
}

export function removedJson(removed: RemovedImage): RemovedImageJson {
  return {
    ...(removed.untagged !== undefined && { Untagged: removed.untagged }),
    ...(removed.deleted !== undefined && { Deleted: removed.deleted }),
  }
}

export function layersJson(view: LayersView): LayersJson {
  return {
    Image: view.image,
    Layers: view.layers.map((layer) => ({
      Chain: layer.chain,
      DiffId: layer.diffId,
      Role: layer.role,
      Instruction: layer.instruction,
      Size: layer.size,
      Changes: changesJson(layer.changes),
      SharedWith: layer.sharedWith,
    })),
    ...(view.writable && {
      Writable: {
        Container: view.writable.container,
        Size: view.writable.size,
        Changes: changesJson(view.writable.changes),
      },
    }),
    Kernel: view.kernel,
  }
}

function changesJson({ added, changed, removed }: LayersView['layers'][number]['changes']) {
  return { Added: added, Changed: changed, Removed: removed }
}

/** Names with a tag, as people see them. */
export function repoTags({ record }: ImageFigures): readonly string[] {
  return record.names.filter((name) => name.tag !== undefined && name.digest === undefined).map(familiarReference)
}

/** Repositories with the digests they are known by. */
export function repoDigests({ record }: ImageFigures): readonly string[] {
  const named = record.names.filter((name) => name.digest !== undefined)
  return [...new Set(named.map((name) => `${familiarName(name)}@${name.digest}`))]
}
