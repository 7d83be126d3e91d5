/** An image's shapes in the Docker Engine API; keys as on the wire. */

/** A row of `docker images`. */
export interface ImageSummaryJson {
  readonly Containers: number
  /** Seconds since the epoch. */
  readonly Created: number
  readonly Id: string
  readonly Labels: Readonly<Record<string, string>> | null
  readonly ParentId: string
  readonly RepoDigests: readonly string[]
  readonly RepoTags: readonly string[]
  /** -1 where it was not asked for. */
  readonly SharedSize: number
  readonly Size: number
}

/** `docker image inspect`. */
export interface ImageJson {
  readonly Id: string
  readonly RepoTags: readonly string[]
  readonly RepoDigests: readonly string[]
  readonly Parent: string
  readonly Comment: string
  readonly Created: string
  readonly DockerVersion: string
  readonly Author: string
  readonly Architecture: string
  readonly Variant?: string
  readonly Os: string
  readonly Size: number
  readonly GraphDriver: { readonly Name: string; readonly Data: Readonly<Record<string, string>> | null }
  readonly RootFS: { readonly Type: 'layers'; readonly Layers?: readonly string[] }
  readonly Metadata: { readonly LastTagTime: string }
  readonly Config: Readonly<Record<string, unknown>>
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
