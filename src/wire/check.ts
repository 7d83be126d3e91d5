/** Shapes of `POST /x/check`: a progress stream whose lines carry these in `aux`. */

/** Something that is not as it should be. */
export interface DamageJson {
  /** `database`, `blob`, `layer`, `image`, `container`, `volume` or `leftover`. */
  readonly Kind: string
  readonly Id: string
  readonly Path: string
  readonly What: string
  readonly UsedBy: readonly string[]
  readonly Cure: string
}

export interface RepairJson {
  readonly Damage: DamageJson
  /** `healed`, `dropped` or `left`. */
  readonly Outcome: string
  readonly Text: string
}

export interface CheckSummaryJson {
  readonly Blobs: number
  readonly Layers: number
  readonly Images: number
  readonly Containers: number
  readonly Volumes: number
  /** Bytes that were read. */
  readonly Bytes: number
  readonly Seconds: number
  readonly Damages: number
  readonly Healed: number
  readonly Dropped: number
  readonly Left: number
}

/** One of these is there. */
export interface CheckAux {
  readonly Damage?: DamageJson
  readonly Repair?: RepairJson
  readonly Summary?: CheckSummaryJson
}
