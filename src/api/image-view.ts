import type { HistoryRow, ImageDetails, ImageSummary, LayersView, RemovedImage } from '#engine'
import { familiarName, familiarReference } from '#oci'
import type { HistoryJson, ImageJson, ImageSummaryJson, LayersJson, RemovedImageJson } from '#wire'
import { secondsOfText, timeText } from './time-text.ts'

/** A row of GET /images/json. */
export function imageSummary(summary: ImageSummary, sharedSize: boolean): ImageSummaryJson {
  const { record, image } = summary
  return {
    Containers: summary.containers,
    Created: summary.created,
    Id: record.id,
    Labels: image.config.config.Labels ?? null,
    ParentId: record.parent ?? '',
    RepoDigests: repoDigests(summary),
    RepoTags: repoTags(summary),
    SharedSize: sharedSize ? summary.sharedSize : -1,
    Size: summary.size,
  }
}

/** GET /images/{name}/json. */
export function imageJson(summary: ImageDetails): ImageJson {
  const { record, image } = summary
  const { config } = image
  return {
    Id: record.id,
    RepoTags: repoTags(summary),
    RepoDigests: repoDigests(summary),
    Parent: record.parent ?? '',
    Comment: config.history.at(-1)?.comment ?? '',
    Created: config.created ?? timeText(0n),
    DockerVersion: '',
    Author: config.author ?? '',
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    Size: summary.size,
    GraphDriver: { Name: 'overlay2', Data: null },
    RootFS: { Type: 'layers', ...(config.rootfs.diff_ids.length > 0 && { Layers: config.rootfs.diff_ids }) },
    Metadata: { LastTagTime: timeText(record.createdAt) },
    Config: {
      Cmd: null,
      Entrypoint: null,
      Env: null,
      Labels: null,
      OnBuild: null,
      User: '',
      Volumes: null,
      WorkingDir: '',
      ...config.config,
    },
  }
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

function repoTags({ record }: ImageDetails): readonly string[] {
  return record.names.filter((name) => name.tag !== undefined && name.digest === undefined).map(familiarReference)
}

function repoDigests({ record }: ImageDetails): readonly string[] {
  const named = record.names.filter((name) => name.digest !== undefined)
  return [...new Set(named.map((name) => `${familiarName(name)}@${name.digest}`))]
}
