import type { ContainerSummaryJson } from './container.ts'
import type { ImageSummaryJson } from './image.ts'
import type { VolumeJson } from './volume.ts'

/** Shapes of the engine as a whole in the Docker Engine API; keys as on the wire. */

export interface VersionJson {
  readonly Platform: { readonly Name: string }
  readonly Components: readonly {
    readonly Name: string
    readonly Version: string
    readonly Details: Readonly<Record<string, string>>
  }[]
  readonly Version: string
  readonly ApiVersion: string
  readonly MinAPIVersion: string
  readonly GitCommit: string
  readonly GoVersion: string
  readonly Os: string
  readonly Arch: string
  readonly KernelVersion: string
  readonly BuildTime: string
}

export interface InfoJson extends Readonly<Record<string, unknown>> {
  readonly ID: string
  readonly Containers: number
  readonly ContainersRunning: number
  readonly ContainersPaused: number
  readonly ContainersStopped: number
  readonly Images: number
  readonly Driver: string
  readonly DockerRootDir: string
  readonly ServerVersion: string
  readonly Name: string
  readonly Warnings: readonly string[] | null
}

export interface EventJson {
  readonly status?: string
  readonly id?: string
  readonly from?: string
  readonly Type: string
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
  readonly scope: 'local'
  /** Seconds since the epoch; `timeNano` on the wire is more than a number of JavaScript holds. */
  readonly time: number
  readonly timeNano: number
}

export interface BuildCacheJson {
  readonly ID: string
  readonly Type: string
  readonly Description: string
  readonly InUse: boolean
  readonly Shared: boolean
  readonly Size: number
  readonly CreatedAt: string
  readonly LastUsedAt: string
  readonly UsageCount: number
}

export interface DiskUsageJson {
  readonly LayersSize: number
  readonly Images: readonly ImageSummaryJson[] | null
  readonly Containers: readonly ContainerSummaryJson[] | null
  readonly Volumes: readonly VolumeJson[] | null
  readonly BuildCache: readonly BuildCacheJson[] | null
  readonly BuilderSize?: number
}

/** A line of `mica doctor` (`/x/doctor`). */
export interface FindingJson {
  readonly Name: string
  readonly Ok: boolean
  readonly Essential: boolean
  readonly Text: string
  readonly Cure?: string
}
