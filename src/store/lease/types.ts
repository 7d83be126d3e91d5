export type ResourceKind = 'blob' | 'ingest' | 'snapshot' | 'image' | 'cache'

/** What can be held, and what the collector's graph is made of. */
export interface Resource {
  readonly kind: ResourceKind
  readonly id: string
}

/** Who still needs what. A lease holds a resource *before* it exists. */
export interface Lease extends AsyncDisposable {
  readonly id: string
  /**
   * Synchronous: after it returns no collection removes these. Not inside a transaction that may be taken back:
   * the hold would be taken back with it.
   */
  hold(...resources: readonly Resource[]): void
}

export interface LeaseHolding {
  readonly id: string
  readonly purpose: string
  readonly resources: readonly Resource[]
}

export interface Leases {
  /** The lease expires by itself if this process dies (it names the daemon's run; another run's leases are void). */
  open(purpose: string): Promise<Lease>
  /** Each lease that is open, with what it holds. */
  list(): readonly LeaseHolding[]
  /** Everything that some lease holds, for the collector's roots. */
  held(): readonly Resource[]
}
