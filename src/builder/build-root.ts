import type { ChainId, DiffId } from '#oci'
import type { SnapshotId } from '#store/snapshot'

/** A root whose layers are all hashed. */
export interface SealedRoot {
  /** Absent for a root without layers. */
  readonly chain?: ChainId
  /** Bottom first. */
  readonly diffIds: readonly DiffId[]
}

/** The files that a step leaves. The next step begins on the snapshot while the layer is still being hashed. */
export interface BuildRoot {
  /** Absent for an empty root. */
  readonly snapshot?: SnapshotId
  /** Layers. */
  readonly depth: number
  readonly sealed: Promise<SealedRoot>
  /** What `sealed` will give, once it is there. */
  known(): SealedRoot | undefined
}

/** One layer more than `below`, while it is being hashed. */
export function pendingRoot(below: BuildRoot, snapshot: SnapshotId, sealed: Promise<SealedRoot>): BuildRoot {
  let outcome: SealedRoot | undefined
  const watched = sealed.then((value) => (outcome = value))
  // whoever needs it awaits it; until then a failure waits too
  watched.catch(() => undefined)
  return { snapshot, depth: below.depth + 1, sealed: watched, known: () => outcome }
}

export function sealedRoot(snapshot: SnapshotId | undefined, sealed: SealedRoot): BuildRoot {
  const known = { depth: sealed.diffIds.length, sealed: Promise.resolve(sealed), known: () => sealed }
  return snapshot === undefined ? known : { snapshot, ...known }
}

/** What stands for the root in a key while its chain is not known: only good for steps that are in flight at the same time. */
export function identityOf(root: BuildRoot): string {
  const known = root.known()
  if (known !== undefined) return known.chain ?? 'scratch'
  return `snapshot ${root.snapshot ?? ''}`
}
