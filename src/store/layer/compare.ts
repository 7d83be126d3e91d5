import { constants, openSync, readlinkSync, readSync, closeSync, type BigIntStats } from 'node:fs'
import { textOfName } from '#archive'
import { cancelled, invalid } from '#base'
import { readXattrs } from '#store/snapshot'
import { MergedFolder, type MergedEntry } from './merged.ts'
import type { PathFacts, PathKind, TreeDifference, TreeFacet } from './types.ts'

/** The folders of two stacks of layers, topmost first. */
export interface Stacks {
  readonly before: readonly string[]
  readonly after: readonly string[]
  /** Also tell files (not folders) apart that differ by their time alone. */
  readonly times: boolean
}

/** As deep as a walk through a tree goes. */
const MAX_DEPTH = 2100

/**
 * How the tree that one stack of layers shows differs from another's, by looking at the layers alone. Where both have a
 * layer in common only the names that others of their layers mention are looked at. Files of equal size are compared by
 * their bytes: equal times prove nothing, since builds may set them. Folders come before what is in them, siblings in the order of
 * their bytes.
 */
export function compareStacks(
  { before, after, times }: Stacks,
  put: (difference: TreeDifference) => void,
  options: { cancelled(): boolean },
): void {
  using one = MergedFolder.open(before)
  using other = MergedFolder.open(after)
  const comparison = new Comparison({ put, times, ...options, cancelled: () => options.cancelled() })
  comparison.entry('', one.own, other.own)
  comparison.folder({ path: '', depth: 0, before: one, after: other })
}

interface Pair {
  readonly path: string
  readonly depth: number
  readonly before: MergedFolder | undefined
  readonly after: MergedFolder | undefined
}

interface ComparisonOptions {
  readonly put: (difference: TreeDifference) => void
  readonly times: boolean
  readonly cancelled: () => boolean
}

class Comparison {
  readonly #options: ComparisonOptions

  constructor(options: ComparisonOptions) {
    this.#options = options
  }

  folder({ path, depth, before, after }: Pair): void {
    if (depth > MAX_DEPTH) throw invalid('cannot compare trees: their folders are nested too deeply')
    for (const name of doubtfulNames(before, after)) {
      if (this.#options.cancelled()) throw cancelled('comparison of images')
      const [then, now] = [before?.find(name), after?.find(name)]
      if (!then && !now) continue
      const inner = `${path}/${name}`
      this.entry(inner, then, now)
      using below = before?.enter(name)
      using above = after?.enter(name)
      if (below || above) this.folder({ path: inner, depth: depth + 1, before: below, after: above })
    }
  }

  entry(path: string, then: MergedEntry | undefined, now: MergedEntry | undefined): void {
    const facets = then && now ? this.#facets(then, now) : []
    if (then && now && facets.length === 0) return
    this.#options.put({
      path: path === '' ? '/' : textOfName(path),
      kind: then && now ? 'changed' : now ? 'added' : 'removed',
      facets,
      ...(then && { before: factsOf(then) }),
      ...(now && { after: factsOf(now) }),
    })
  }

  #facets(then: MergedEntry, now: MergedEntry): readonly TreeFacet[] {
    if (then.root === now.root) return []
    if (kindOfPath(then.stat) !== kindOfPath(now.stat)) return ['type']
    const facets: TreeFacet[] = []
    if (!sameContent(then, now)) facets.push('content')
    if ((then.stat.mode & 0o7777n) !== (now.stat.mode & 0o7777n) && !now.stat.isSymbolicLink()) facets.push('mode')
    if (then.stat.uid !== now.stat.uid || then.stat.gid !== now.stat.gid) facets.push('owner')
    if (!sameXattrs(then.at, now.at)) facets.push('xattrs')
    if (this.#options.times && !now.stat.isDirectory() && then.stat.mtimeNs !== now.stat.mtimeNs) facets.push('time')
    return facets
  }
}

/** The names that may stand for different things, in the order of their bytes. */
function doubtfulNames(before: MergedFolder | undefined, after: MergedFolder | undefined): readonly string[] {
  const [then, now] = [new Set(before?.roots), new Set(after?.roots)]
  const names = new Set([
    ...(before?.namesIn((root) => !now.has(root)) ?? []),
    ...(after?.namesIn((root) => !then.has(root)) ?? []),
  ])
  return [...names].toSorted((a, b) => (a < b ? -1 : Number(a > b)))
}

export function kindOfPath(stat: BigIntStats): PathKind {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isFIFO()) return 'fifo'
  if (stat.isSocket()) return 'socket'
  return stat.isBlockDevice() ? 'block' : 'character'
}

/** Bytes of a file; nothing else has a size of its own in a layer. */
export function sizeOf(stat: BigIntStats): number {
  return stat.isFile() ? Number(stat.size) : 0
}

function factsOf({ at, stat }: MergedEntry): PathFacts {
  return {
    type: kindOfPath(stat),
    size: sizeOf(stat),
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    ...(stat.isSymbolicLink() && { link: textOfName(targetOf(at)) }),
  }
}

function targetOf(at: string | Buffer): string {
  return readlinkSync(at, { encoding: 'latin1' })
}

function sameContent(then: MergedEntry, now: MergedEntry): boolean {
  if (now.stat.isSymbolicLink()) return targetOf(then.at) === targetOf(now.at)
  if (!now.stat.isFile()) return then.stat.rdev === now.stat.rdev
  return then.stat.size === now.stat.size && sameBytes(then.at, now.at)
}

const CHUNK = 1 << 18

function sameBytes(then: string | Buffer, now: string | Buffer): boolean {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const one = openSync(then, flags)
  try {
    const other = openSync(now, flags)
    try {
      return sameStreams(one, other)
    } finally {
      closeSync(other)
    }
  } finally {
    closeSync(one)
  }
}

function sameStreams(one: number, other: number): boolean {
  const [left, right] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)]
  for (;;) {
    const count = fill(one, left)
    if (fill(other, right) !== count || left.compare(right, 0, count, 0, count) !== 0) return false
    if (count < CHUNK) return true
  }
}

/** As many bytes as there are, up to the buffer's length. */
function fill(fd: number, buffer: Buffer): number {
  let done = 0
  while (done < buffer.length) {
    const count = readSync(fd, buffer, done, buffer.length - done, null)
    if (count === 0) break
    done += count
  }
  return done
}

function sameXattrs(then: string | Buffer, now: string | Buffer): boolean {
  const [left, right] = [readXattrs(then), readXattrs(now)]
  return left.size === right.size && [...left].every(([name, value]) => right.get(name)?.equals(value) === true)
}
