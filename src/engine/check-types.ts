import type { BuildRequest } from '#builder'

/** What a check looks at; `leftover` is what lies on the disk and no record knows. */
export type CheckedKind = 'database' | 'blob' | 'layer' | 'image' | 'container' | 'volume' | 'leftover'

/** One thing that is not as it should be. */
export interface Damage {
  readonly kind: CheckedKind
  /** A digest, chain id, image or container id, a volume's name, a file's name. */
  readonly id: string
  /** Where it lies, if that is a file or folder. */
  readonly path?: string
  /** The end of a sentence. */
  readonly what: string
  /** Familiar names of images, names of containers, that need it. */
  readonly usedBy: readonly string[]
  readonly cure: string
}

/** `dropped`: it cannot be had again, and what hung on it is gone; `left`: it is as before. */
export type RepairOutcome = 'healed' | 'dropped' | 'left'

export interface Repair {
  readonly damage: Damage
  readonly outcome: RepairOutcome
  /** What was done, or why nothing could be. */
  readonly text: string
}

export interface CheckSummary {
  readonly blobs: number
  readonly layers: number
  readonly images: number
  readonly containers: number
  readonly volumes: number
  /** Of blobs and files that were read. */
  readonly bytes: number
  readonly seconds: number
  readonly damages: number
  readonly healed: number
  readonly dropped: number
  readonly left: number
}

export type CheckEvent =
  /** It was not refused. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'progress'; readonly of: 'blobs' | 'layers'; readonly done: number; readonly total: number }
  | { readonly kind: 'damage'; readonly damage: Damage }
  | { readonly kind: 'repair'; readonly repair: Repair }

export interface CheckOptions {
  readonly repair: boolean
  readonly credentialsFor?: BuildRequest['credentialsFor']
  readonly signal: AbortSignal
  readonly report: (event: CheckEvent) => void
}
