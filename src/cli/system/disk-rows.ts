import { abbreviate } from '#base'
import { ago, ellipsis, size } from '#cli/kit'
import type {
  BuildCacheJson,
  ContainerSummaryJson,
  DiskReportJson,
  DiskUsageJson,
  ImageSummaryJson,
  VolumeJson,
} from '#wire'
import { formatSize } from '#wire'

/** A list with the headings that docker gives it. */
export interface Listing {
  readonly columns: Readonly<Record<string, string>>
  readonly shown: readonly string[]
  readonly rows: readonly Readonly<Record<string, string>>[]
}

/** Bytes with four digits, as docker's disk tables and prunes show them. */
export function exactSize(bytes: number): string {
  return formatSize(bytes, 4)
}

/** The four rows of `system df`. */
export function summaryOf(usage: DiskUsageJson): Listing {
  return {
    columns: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
    shown: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
    rows: [
      imagesRow(usage.Images ?? [], usage.LayersSize),
      containersRow(usage.Containers ?? []),
      volumesRow(usage.Volumes ?? []),
      cacheRow(usage.BuildCache ?? []),
    ],
  }
}

interface Sums {
  readonly count: number
  readonly active: number
  readonly size: number
  readonly reclaimable: number
}

function rowOf(type: string, sums: Sums, percent: boolean): Readonly<Record<string, string>> {
  const share = percent && sums.size > 0 ? ` (${Math.trunc((sums.reclaimable * 100) / sums.size)}%)` : ''
  return {
    Type: type,
    TotalCount: String(sums.count),
    Active: String(sums.active),
    Size: exactSize(sums.size),
    Reclaimable: `${exactSize(sums.reclaimable)}${share}`,
  }
}

function imagesRow(images: readonly ImageSummaryJson[], layersSize: number) {
  const active = images.filter(({ Containers }) => Containers > 0)
  const used = sum(active, ({ Size, SharedSize }) => Size - SharedSize)
  return rowOf(
    'Images',
    { count: images.length, active: active.length, size: layersSize, reclaimable: layersSize - used },
    true,
  )
}

function containersRow(containers: readonly ContainerSummaryJson[]) {
  const idle = containers.filter(({ State }) => !LIVE.has(State))
  const written = ({ SizeRw = 0 }: ContainerSummaryJson): number => SizeRw
  const sums = { size: sum(containers, written), reclaimable: sum(idle, written) }
  return rowOf('Containers', { count: containers.length, active: containers.length - idle.length, ...sums }, true)
}

const LIVE: ReadonlySet<string> = new Set(['running', 'paused', 'restarting'])

function volumesRow(volumes: readonly VolumeJson[]) {
  const idle = volumes.filter((volume) => linksOf(volume) === 0)
  const sums = { size: sum(volumes, sizeOfVolume), reclaimable: sum(idle, sizeOfVolume) }
  return rowOf('Local Volumes', { count: volumes.length, active: volumes.length - idle.length, ...sums }, true)
}

const linksOf = ({ UsageData }: VolumeJson): number => UsageData?.RefCount ?? 0
const sizeOfVolume = ({ UsageData }: VolumeJson): number => Math.max(0, UsageData?.Size ?? 0)

function cacheRow(records: readonly BuildCacheJson[]) {
  const inUse = records.filter(({ InUse }) => InUse)
  const size = cacheSize(records)
  return rowOf(
    'Build Cache',
    { count: records.length, active: inUse.length, size, reclaimable: size - cacheSize(inUse) },
    false,
  )
}

/** Without what images have too. */
export function cacheSize(records: readonly BuildCacheJson[]): number {
  return sum(
    records.filter(({ Shared }) => !Shared),
    ({ Size }) => Size,
  )
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0)
}

export function imageListing(images: readonly ImageSummaryJson[], now: number): Listing {
  return {
    columns: {
      Repository: 'REPOSITORY',
      Tag: 'TAG',
      ID: 'IMAGE ID',
      CreatedSince: 'CREATED',
      Size: 'SIZE',
      SharedSize: 'SHARED SIZE',
      UniqueSize: 'UNIQUE SIZE',
      Containers: 'CONTAINERS',
    },
    shown: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size', 'SharedSize', 'UniqueSize', 'Containers'],
    rows: images.map((image) => {
      const [name = '<none>:<none>'] = image.RepoTags ?? []
      const at = name.lastIndexOf(':')
      return {
        Repository: name.slice(0, at),
        Tag: name.slice(at + 1),
        ID: abbreviate(image.Id),
        CreatedSince: ago(image.Created * 1000, now),
        Size: size(image.Size),
        SharedSize: exactSize(image.SharedSize),
        UniqueSize: exactSize(image.Size - image.SharedSize),
        Containers: String(image.Containers),
      }
    }),
  }
}

const COMMAND_WIDTH = 20

export function containerListing(containers: readonly ContainerSummaryJson[], now: number): Listing {
  return {
    columns: {
      ID: 'CONTAINER ID',
      Image: 'IMAGE',
      Command: 'COMMAND',
      LocalVolumes: 'LOCAL VOLUMES',
      Size: 'SIZE',
      RunningFor: 'CREATED',
      Status: 'STATUS',
      Names: 'NAMES',
    },
    shown: ['ID', 'Image', 'Command', 'LocalVolumes', 'Size', 'RunningFor', 'Status', 'Names'],
    rows: containers.map((container) => ({
      ID: abbreviate(container.Id),
      Image: container.Image,
      Command: JSON.stringify(ellipsis(container.Command, COMMAND_WIDTH)),
      LocalVolumes: String(container.Mounts.filter(({ Type }) => Type === 'volume').length),
      Size: size(container.SizeRw ?? 0),
      RunningFor: ago(container.Created * 1000, now),
      Status: container.Status,
      Names: container.Names.map((name) => name.replace(/^\//, '')).join(','),
    })),
  }
}

export function volumeListing(volumes: readonly VolumeJson[]): Listing {
  return {
    columns: { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' },
    shown: ['Name', 'Links', 'Size'],
    rows: volumes.map((volume) => ({
      Name: volume.Name,
      Links: String(linksOf(volume)),
      Size: exactSize(sizeOfVolume(volume)),
    })),
  }
}

export function cacheListing(records: readonly BuildCacheJson[], now: number): Listing {
  return {
    columns: {
      ID: 'CACHE ID',
      CacheType: 'CACHE TYPE',
      Size: 'SIZE',
      CreatedSince: 'CREATED',
      LastUsedSince: 'LAST USED',
      UsageCount: 'USAGE',
      Shared: 'SHARED',
    },
    shown: ['ID', 'CacheType', 'Size', 'CreatedSince', 'LastUsedSince', 'UsageCount', 'Shared'],
    rows: records.map((record) => ({
      ID: abbreviate(record.ID),
      CacheType: record.Type,
      Size: size(record.Size),
      CreatedSince: ago(Date.parse(record.CreatedAt), now),
      LastUsedSince: ago(Date.parse(record.LastUsedAt), now),
      UsageCount: String(record.UsageCount),
      Shared: String(record.Shared),
    })),
  }
}

/** What the kinds of `/x/disk` are called. */
const OWNERS: Readonly<Record<string, string>> = {
  layer: 'Image layers',
  blob: 'Image blobs',
  writable: 'Containers, writable layers',
  container: 'Containers, logs and settings',
  volume: 'Volumes',
  cache: 'Build cache',
  registry: 'Own registry',
  download: 'Cut downloads',
  work: 'Work under way',
  record: 'Records',
  leaving: 'Being removed',
  unowned: 'Unowned',
}

/** The table that docker lacks: every byte of the data root by its owner, and their sum. */
export function ownerListing({ Shares, Total, Reclaimable }: DiskReportJson): Listing {
  const row = (owner: string, count: number, bytes: number, back: number) => ({
    Owner: owner,
    Count: String(count),
    Size: exactSize(bytes),
    Bytes: String(bytes),
    Reclaimable: exactSize(back),
  })
  const count = sum(Shares, ({ Count }) => Count)
  return {
    columns: { Owner: 'OWNER', Count: 'COUNT', Size: 'SIZE', Bytes: 'BYTES', Reclaimable: 'RECLAIMABLE' },
    shown: ['Owner', 'Count', 'Size', 'Bytes', 'Reclaimable'],
    rows: [
      ...Shares.map((share) => row(OWNERS[share.Kind] ?? share.Kind, share.Count, share.Size, share.Reclaimable)),
      row('TOTAL', count, Total, Reclaimable.All),
    ],
  }
}
