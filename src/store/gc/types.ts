import type { Resource } from '#store/lease'

export interface Reclaimed {
  readonly bytes: number
  readonly resources: readonly Resource[]
}

/** Each owner of resources is a collector. */
export interface Collector {
  roots(): Iterable<Resource>
  edges(from: Resource): Iterable<Resource>
  /** `edges` of this very moment, read at once: for who asks about everything in one turn. */
  edgesNow?(): (from: Resource) => Iterable<Resource>
  /**
   * Removes the records of its own resources that are not live (`live` holds `resourceKey`s of #store/lease), in the
   * caller's transaction; returns what removes the bytes.
   */
  sweep(live: ReadonlySet<string>): SweepPlan
}

export interface SweepPlan {
  readonly resources: readonly Resource[]
  /** Runs after the transaction is durable; may be interrupted: what is left is found at the next start. */
  removeBytes(): Promise<number>
}

export interface GarbageCollector {
  /** One collection; callers while one is under way share the next. */
  collect(): Promise<Reclaimed>
}
