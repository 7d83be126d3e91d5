export type ResourceKind = 'blob' | 'ingest' | 'snapshot' | 'image' | 'cache'

/** What can be held, and what the collector's graph is made of. */
export interface Resource {
  readonly kind: ResourceKind
  readonly id: string
}

/** Who still needs what. A lease holds a resource *before* it exists. */
export interface Lease extends AsyncDisposable {
  readonly id: string
  /** Synchronous: after it returns no collection removes these, whatever becomes of a transaction around it. */
  hold(...resources: readonly Resource[]): void
}

export interface LeaseHolding {
  readonly id: string
  readonly purpose: string
  readonly resources: readonly Resource[]
}

export interface Leases {
  /** The lease ends with this process, if not before. */
  open(purpose: string): Promise<Lease>
  /** Each lease that is open, with what it holds. */
  list(): readonly LeaseHolding[]
  /** Everything that some lease holds, for the collector's roots. */
  held(): readonly Resource[]
}
