/** Whose bytes they are. */
export type DiskKind =
  | 'layer'
  | 'blob'
  | 'writable'
  | 'container'
  | 'volume'
  | 'cache'
  | 'registry'
  | 'download'
  | 'work'
  | 'record'
  | 'leaving'
  | 'unowned'

/** Somebody who keeps bytes: they go only when all who keep them are gone. */
export interface DiskOwner {
  readonly kind: 'image' | 'container' | 'cache' | 'lease' | 'registry'
  readonly id: string
  /** For people: names of an image, the name of a container, what a step or a lease is for. */
  readonly name: string
}

/** Something in the data root that is counted by itself. All sizes are bytes of allocated blocks. */
export interface DiskItem {
  readonly kind: DiskKind
  /** Below the data root. */
  readonly path: string
  /** A chain id, digest, container id, volume name or the key of a download; the path where it has no name. */
  readonly id: string
  readonly size: number
  readonly owners: readonly DiskOwner[]
  /** What would free it: `prune` (system prune), `all` (system prune -a, and volume prune -a for a volume); else it is in use. */
  readonly freedBy?: 'prune' | 'all'
}

/** The items of one kind together. */
export interface DiskShare {
  readonly kind: DiskKind
  readonly count: number
  readonly size: number
  /** Of what `all` would free. */
  readonly reclaimable: number
}

export interface DiskReport {
  readonly root: string
  /** Equals `du -x --block-size=1` of the root: each byte is in exactly one item. */
  readonly total: number
  readonly shares: readonly DiskShare[]
  /** Largest first. */
  readonly items: readonly DiskItem[]
  readonly reclaimable: { readonly prune: number; readonly all: number }
}
