import { textOfName } from '#archive'
import { getXattr, type PlainStat } from '#kernel'
import { type TreeEntry, isOpaque, walkTree } from '#store/snapshot'
import { type MergedEntry, MergedFolder, isWhiteout } from './merged.ts'
import type { PathChange } from './types.ts'

/** The folder below, where it exists, and whether something in this one has changed. */
interface Level {
  readonly below: MergedFolder | undefined
  changed: boolean
  /** Nothing below shows through: this folder is opaque, or one around it is. */
  readonly hides: boolean
  /** Names seen in a folder that hides what is below: what else is below is removed. */
  readonly names: Set<string> | undefined
  readonly own: { readonly at: string; readonly kind: PathChange['kind'] | undefined }
  readonly parent?: Level
}

/**
 * How the tree that an upper folder makes differs from the one of its lowers (topmost first), sorted by path, with the
 * meaning of Docker's `diff`: a folder counts as changed where something in it was added, changed or removed; of a
 * removed folder only the folder itself is named. A file that was copied up and is as before is no change.
 */
export function findChanges(
  upper: string,
  lowers: readonly string[],
  options: { cancelled(): boolean },
): readonly PathChange[] {
  const found = new Map<string, PathChange['kind']>()
  using root = MergedFolder.open(lowers)
  using finder = new ChangeFinder(found)
  const top: Level = { below: root, changed: false, hides: false, names: undefined, own: { at: '', kind: undefined } }
  walkTree(
    upper,
    top,
    { enter: (entry, level) => finder.enter(entry, level), leave: (_, level) => finder.leave(level) },
    options,
  )
  const sorted = [...found].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))
  return sorted.map(([path, kind]) => ({ path: `/${textOfName(path)}`, kind }))
}

class ChangeFinder implements Disposable {
  readonly #found: Map<string, PathChange['kind']>
  /** Folders below those that are being visited. */
  readonly #open = new Set<MergedFolder>()

  constructor(found: Map<string, PathChange['kind']>) {
    this.#found = found
  }

  enter(entry: TreeEntry, level: Level): Level | undefined {
    level.names?.add(entry.name)
    const before = level.below?.find(entry.name)
    const kind = kindOf(entry, before)
    if (kind) this.#note(level, entry.path, kind)
    if (!entry.stat.isDirectory()) return undefined
    const below = before?.stat.isDirectory() ? level.below?.enter(entry.name) : undefined
    if (below) this.#open.add(below)
    const hides = level.hides || isOpaque(entry.at)
    const names = below && hides ? new Set<string>() : undefined
    return { below, changed: false, hides, names, own: { at: entry.path, kind }, parent: level }
  }

  leave(level: Level): void {
    const { below, names, own, parent } = level
    if (below && names) {
      for (const name of below.names()) if (!names.has(name)) this.#note(level, `${own.at}/${name}`, 'removed')
    }
    if (below) this.#close(below)
    if (level.changed && own.kind === undefined && parent) this.#note(parent, own.at, 'changed')
  }

  [Symbol.dispose](): void {
    for (const folder of this.#open) this.#close(folder)
  }

  #close(folder: MergedFolder): void {
    this.#open.delete(folder)
    folder[Symbol.dispose]()
  }

  #note(level: Level, path: string, kind: PathChange['kind']): void {
    this.#found.set(path, kind)
    level.changed = true
  }
}

function kindOf({ stat, at }: TreeEntry, before: MergedEntry | undefined): PathChange['kind'] | undefined {
  if (isWhiteout(stat)) return before && 'removed'
  if (!before) return 'added'
  return isSame(stat, before.stat) && sameCapability(at, before.at) ? undefined : 'changed'
}

/** Docker compares mode, owner and device, and of what is no folder size and time. */
function isSame(now: PlainStat, before: PlainStat): boolean {
  const same = now.mode === before.mode && now.uid === before.uid && now.gid === before.gid && now.rdev === before.rdev
  return same && (now.isDirectory() || (now.size === before.size && now.mtimeNs === before.mtimeNs))
}

function sameCapability(now: string | Buffer, before: string | Buffer): boolean {
  const [a, b] = [getXattr(now, 'security.capability'), getXattr(before, 'security.capability')]
  return a && b ? a.equals(b) : a === b
}
