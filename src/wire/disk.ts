/** Shapes of `/x/disk`: who keeps which bytes of the data root. All sizes are bytes of allocated blocks. */

export interface DiskOwnerJson {
  readonly Kind: string
  readonly Id: string
  readonly Name: string
}

export interface DiskItemJson {
  readonly Kind: string
  readonly Path: string
  readonly Id: string
  readonly Size: number
  readonly Owners: readonly DiskOwnerJson[]
  /** `prune`, `all`, or empty: it is in use, or nothing is removed by a prune. */
  readonly FreedBy: string
}

export interface DiskShareJson {
  readonly Kind: string
  readonly Count: number
  readonly Size: number
  readonly Reclaimable: number
}

/** GET /x/disk; of the items the `limit` largest, all where it is absent. */
export interface DiskReportJson {
  readonly Root: string
  readonly Total: number
  readonly Shares: readonly DiskShareJson[]
  readonly Items: readonly DiskItemJson[]
  readonly Reclaimable: { readonly Prune: number; readonly All: number }
}
