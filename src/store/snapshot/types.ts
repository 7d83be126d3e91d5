import type { Clock, Log } from '#base'
import type { Mount } from '#kernel'
import type { ChainId } from '#oci'
import type { Database } from '#store/db'
import type { Lease, Resource } from '#store/lease'

declare const snapshotBrand: unique symbol
/** The store's own id of a snapshot; a decimal number as text; its folder is `snapshots/<id>/`. */
export type SnapshotId = string & { readonly [snapshotBrand]: 'snapshot' }

/** What a tree takes on disk. */
export interface Usage {
  /** Bytes of blocks. */
  readonly size: number
  readonly inodes: number
}

/** A tree that is known to be other than it was made, and why. */
export interface SnapshotDamage {
  readonly id: SnapshotId
  readonly why: string
}

export interface ViewSnapshot {
  readonly key: string
  readonly id: SnapshotId
  readonly parent?: SnapshotId
  /** One overlay (or bind, where there is but one lower) that shows the whole root. */
  readonly mounts: readonly Mount[]
}

/** A writable transaction on top of `parent`. */
export interface ActiveSnapshot extends ViewSnapshot {
  /** The upper folder, `snapshots/<id>/fs`. */
  readonly upper: string
  /** Must not be mounted any more. From now on immutable, usable as a parent, not yet named. */
  freeze(): Promise<FrozenSnapshot>
}

export interface PrepareOptions {
  readonly volatile?: boolean
  /** On a damaged parent too: for comparing and mending. */
  readonly onDamaged?: boolean
}

export interface FrozenSnapshot {
  readonly id: SnapshotId
  readonly parent?: SnapshotId
  readonly upper: string
}

export interface SealedSnapshot extends FrozenSnapshot {
  readonly chain: ChainId
}

/**
 * Of two snapshots with one chain the first keeps the name; the second stays until its children are gone. Of a tree that
 * is damaged, or stands on one that is, nothing is shown: `corrupt`, with the cure.
 */
export interface Snapshots {
  /**
   * A new active snapshot; `conflict` where the key is in use. `volatile` trees are mounted without fsync and are
   * marked unsynced with the boot id until a background syncfs.
   */
  prepare(key: string, parent: SnapshotId | undefined, lease: Lease, options?: PrepareOptions): Promise<ActiveSnapshot>
  /**
   * Puts an active snapshot that has no parent onto one; its id may become another. Its root takes mode, owner and xattrs of
   * the parent's unless `keepRoot`. Nothing may be using the folder.
   */
  place(
    key: string,
    parent: SnapshotId,
    lease: Lease,
    options?: { readonly keepRoot?: boolean },
  ): Promise<ActiveSnapshot>
  view(key: string, parent: SnapshotId, lease: Lease): Promise<ViewSnapshot>
  /**
   * An active snapshot that exists (a container's root after a restart). Throws `not-found`. To be called before each
   * mount but the first: the kernel refuses a volatile tree that was mounted before, until this takes its mark away.
   */
  reopen(key: string): Promise<ActiveSnapshot>
  /** Where the snapshot of that name is damaged this tree takes its place, and it is whole again. */
  seal(frozen: FrozenSnapshot, chain: ChainId): Promise<SealedSnapshot>
  /** Undefined too where it, or what is below it, is damaged: then it has to be made again. */
  find(chain: ChainId): Promise<SealedSnapshot | undefined>
  /** Throws `corrupt` where the snapshot of that name, or what is below it, is damaged. */
  assertWhole(chain: ChainId): void
  get(id: SnapshotId): Promise<FrozenSnapshot & { readonly chain?: ChainId }>
  /** Folders of the stack, topmost first: what an overlay takes as lowers when `id` is the parent. */
  lowers(id: SnapshotId, options?: { readonly onDamaged?: boolean }): Promise<readonly string[]>
  usage(id: SnapshotId): Promise<Usage>
  /** Removes an active or view snapshot; its bytes go after the record. Must not be mounted. */
  remove(key: string): Promise<void>
}

/** A snapshot as a check sees it. */
export interface SnapshotState {
  readonly id: SnapshotId
  readonly kind: 'active' | 'view' | 'frozen'
  /** Of active snapshots and views. */
  readonly key?: string
  readonly parent?: SnapshotId
  readonly chain?: ChainId
  /** Its own tree; undefined for a view. */
  readonly folder?: string
  readonly damage?: string
}

/** Runs `snapshotJobs` in a worker; kernel's pool is one. */
export interface SnapshotJobRunner {
  run<Input, Output>(
    job: string,
    input: Input,
    options?: { readonly signal?: AbortSignal; readonly lane?: 'short' },
  ): Promise<Output>
}

export interface SnapshotOptions {
  readonly database: Database
  /** The room's own folder: `<n>/fs`, `<n>/work` and `trash/` below it. */
  readonly folder: string
  readonly jobs: SnapshotJobRunner
  readonly clock: Clock
  readonly log: Log
  /** After a loss of records: folders that none knows are moved here, and not removed. */
  readonly keepStrays?: string
  /** The kernel's id of this boot: trees left unsynced by another one are not believed. */
  readonly bootId: string
}

/** This room's part in a collection (the shape of #store/gc's `Collector`). */
export interface SnapshotCollector {
  /** None: containers, images, cache records and leases hold snapshots. */
  roots(): Iterable<Resource>
  /** From a chain id (as images name snapshots) to the snapshot, from a snapshot to its parent. */
  edges(from: Resource): Iterable<Resource>
  /** `edges` of this very moment, read at once: for who asks about everything in one turn. */
  edgesNow(): (from: Resource) => Iterable<Resource>
  sweep(live: ReadonlySet<string>): { readonly resources: readonly Resource[]; removeBytes(): Promise<number> }
}

export interface OpenSnapshots extends Snapshots, AsyncDisposable {
  readonly collector: SnapshotCollector
  /** All that are there, damaged ones too, parents first. */
  list(): Promise<readonly SnapshotState[]>
  /** Removes a folder among the snapshots that no record knows; nothing where one does. */
  removeStray(name: string): Promise<void>
  /** From now on it is not shown any more. Fine for one that is marked already. */
  mark(id: SnapshotId, why: string): void
  /** It has been found to be whole. */
  clear(id: SnapshotId): void
  /** A frozen copy of a tree as it is now, on the same parent (commit of a container that lives on). */
  fork(source: SnapshotId, lease: Lease, signal?: AbortSignal): Promise<FrozenSnapshot>
  /** Resolves once all trees frozen so far would survive a power cut; goes on by itself in the background otherwise. */
  sync(): Promise<void>
  /** Resolves once the bytes of what was removed so far are gone. */
  settle(): Promise<void>
}
