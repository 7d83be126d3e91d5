/** An image's shapes in the Docker Engine API; keys as on the wire. */

/** A row of `docker images`. */
export interface ImageSummaryJson {
  readonly Containers: number
  /** Seconds since the epoch. */
  readonly Created: number
  readonly Id: string
  readonly Labels: Readonly<Record<string, string>> | null
  readonly ParentId: string
  /** Null where there are none, before version 1.43. */
  readonly RepoDigests: readonly string[] | null
  readonly RepoTags: readonly string[] | null
  /** -1 where it was not asked for. */
  readonly SharedSize: number
  readonly Size: number
  /** Before version 1.44. */
  readonly VirtualSize?: number
}

/** `docker image inspect`. */
export interface ImageJson {
  readonly Id: string
  readonly RepoTags: readonly string[]
  readonly RepoDigests: readonly string[]
  readonly Parent: string
  readonly Comment: string
  readonly Created: string
  /** The container it was committed from; before version 1.45. */
  readonly Container?: string
  readonly ContainerConfig?: Readonly<Record<string, unknown>>
  readonly DockerVersion: string
  readonly Author: string
  readonly Architecture: string
  readonly Variant?: string
  readonly Os: string
  readonly OsVersion?: string
  readonly Size: number
  /** Before version 1.44. */
  readonly VirtualSize?: number
  readonly GraphDriver: { readonly Data: Readonly<Record<string, string>> | null; readonly Name: string }
  readonly RootFS: { readonly Type: 'layers'; readonly Layers?: readonly string[] }
  readonly Metadata: { readonly LastTagTime: string }
  readonly Config: Readonly<Record<string, unknown>>
}

/** A row of `mica images --tree` (`/x/images/tree`, with the parameters of the list), newest first. */
export interface ImageTreeRowJson {
  readonly Id: string
  /** The image of the list whose layers are this one's lower ones: where it was made from, as far as layers tell. */
  readonly Below: string | null
  readonly RepoTags: readonly string[]
  readonly Size: number
  /** Bytes of the layers that the one below has not. */
  readonly OwnSize: number
  readonly Containers: number
}

export interface HistoryJson {
  /** An image's id, or «<missing>». */
  readonly Id: string
  /** Seconds since the epoch. */
  readonly Created: number
  readonly CreatedBy: string
  readonly Tags: readonly string[] | null
  readonly Size: number
  readonly Comment: string
}

export interface RemovedImageJson {
  readonly Untagged?: string
  readonly Deleted?: string
}

/** What `mica layers` shows (`/x/images/{name}/layers`); bottom first. */
export interface LayersJson {
  readonly Image: string
  readonly Layers: readonly LayerJson[]
  readonly Writable?: { readonly Container: string; readonly Size: number; readonly Changes: LayerChangesJson }
  readonly Kernel: string
}

export interface LayerJson {
  readonly Chain: string
  readonly DiffId: string
  readonly Role: 'base' | 'intermediate' | 'top'
  readonly Instruction: string
  readonly Size: number
  readonly Changes: LayerChangesJson
  readonly SharedWith: readonly string[]
}

export interface LayerChangesJson {
  readonly Added: number
  readonly Changed: number
  readonly Removed: number
}

/**
 * `mica diff IMAGE IMAGE` (`/x/images/{name}/diff?to=NAME[&times=1]`): lines of JSON. The first is the head, then one for
 * each path at which the trees differ, folders before what is in them, then the totals.
 */
export type ImageDiffLineJson = ImageDiffHeadJson | PathDifferenceJson | ImageDiffTotalsJson

export interface ImageDiffHeadJson {
  readonly Before: ComparedImageJson
  readonly After: ComparedImageJson
  /** How many layers, from the bottom, both have. */
  readonly SharedLayers: number
  /** What their configs differ in; null where one says nothing. */
  readonly Config: readonly { readonly Field: string; readonly Before: unknown; readonly After: unknown }[]
}

interface ComparedImageJson {
  readonly Id: string
  readonly Layers: number
}

export interface PathDifferenceJson {
  readonly Path: string
  /** 0 changed, 1 added, 2 removed. */
  readonly Kind: 0 | 1 | 2
  /** Of what has changed. */
  readonly What?: readonly ('type' | 'content' | 'mode' | 'owner' | 'xattrs' | 'time')[]
  readonly Before?: PathFactsJson
  readonly After?: PathFactsJson
}

export interface PathFactsJson {
  readonly Type: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'block' | 'character'
  /** Bytes of a file, 0 for all else. */
  readonly Size: number
  readonly Mode: number
  readonly Uid: number
  readonly Gid: number
  readonly Link?: string
}

export interface ImageDiffTotalsJson {
  readonly Totals: {
    readonly Added: DifferenceTotalJson
    readonly Changed: DifferenceTotalJson
    readonly Removed: DifferenceTotalJson
  }
}

export interface DifferenceTotalJson {
  /** All that is no folder. */
  readonly Files: number
  readonly Folders: number
  /** By how much files grew: negative for what was removed. */
  readonly Bytes: number
}

/** `mica layers --files` (`/x/images/{name}/files[?path=…&path=…]`): lines of JSON: head, paths, totals. */
export type ImageFilesLineJson = ImageFilesHeadJson | PathOriginJson | ImageFilesTotalsJson

export interface ImageFilesHeadJson {
  readonly Image: string
  /** Bottom first: the numbers of layers count these, from 0. */
  readonly Layers: readonly { readonly DiffId: string; readonly Instruction: string }[]
}

export interface PathOriginJson {
  readonly Path: string
  /** Absent where the path is seen no more. Of a folder, the layer that made it. */
  readonly Layer?: number
  readonly Type?: PathFactsJson['Type']
  readonly Size?: number
  /** Entries of lower layers that nobody sees, bottom first. */
  readonly Hidden: readonly HiddenPathJson[]
}

export interface HiddenPathJson {
  readonly Layer: number
  /** The layer that hides it. */
  readonly By: number
  readonly Type: PathFactsJson['Type']
  readonly Size: number
}

export interface ImageFilesTotalsJson {
  readonly Totals: {
    /** What is seen; folders do not count. */
    readonly Files: number
    readonly Bytes: number
    readonly HiddenFiles: number
    readonly HiddenBytes: number
    /** How much of the layers' bytes is seen, from 0 to 1. */
    readonly Efficiency: number
  }
}
