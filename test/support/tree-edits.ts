import type { Dice } from '#test/layer-maker'
import type { PathChange } from '#store/layer'
import {
  type BigIntStats,
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'

const NAMES = ['a', 'b', 'c', 'd'] as const

/** A random thing done to a tree, as a program in a container might do it; what the kernel refuses is left undone. */
export function editTree(root: string, dice: Dice): void {
  const path = (): string => {
    const depth = 1 + dice.below(3)
    return [root, ...Array.from({ length: depth }, () => dice.pick(NAMES))].join('/')
  }
  const edit = dice.pick<() => void>([
    () => mkdirSync(path(), { recursive: true }),
    () => mkdirSync(path(), { recursive: true }),
    () => writeFileSync(path(), `text ${dice.below(1000)}`),
    () => writeFileSync(path(), `text ${dice.below(1000)}`),
    () => rmSync(path(), { recursive: true }),
    () => renameSync(path(), path()),
    () => linkSync(path(), path()),
    () => symlinkSync(dice.pick(['a', '../b', '/c/d']), path()),
    () => chmodSync(path(), dice.pick([0o700, 0o755, 0o4711])),
    () => chownSync(path(), dice.below(3), dice.below(3)),
    () => {
      const target = path()
      rmSync(target, { recursive: true })
      if (dice.chance(0.7)) mkdirSync(target)
      else writeFileSync(target, 'instead')
    },
  ])
  try {
    edit()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
  }
}

/** What changed between two whole trees, found by looking at every path of both: the plain definition of `changes`. */
export function compareTrees(before: string, after: string): readonly string[] {
  const found: string[] = []
  compareFolders({ before, after, path: '' }, found)
  return found.toSorted((a, b) => compare(a.slice(a.indexOf('/')), b.slice(b.indexOf('/'))))
}

/** As `compareTrees` writes it. */
export function changeLines(changes: readonly PathChange[]): readonly string[] {
  return changes.map(({ kind, path }) => `${kind} ${path}`)
}

interface Pair {
  readonly before: string | undefined
  readonly after: string
  readonly path: string
}

/** True where something in the folder has changed. */
function compareFolders({ before, after, path }: Pair, found: string[]): boolean {
  const names = readdirSync(`${after}${path}`)
  const old = before === undefined ? [] : readdirSync(`${before}${path}`)
  const removed = old.filter((name) => !names.includes(name))
  for (const name of removed) found.push(`removed ${path}/${name}`)
  const changed = names.map((name) =>
    compareEntry({ before: old.includes(name) ? before : undefined, after, path: `${path}/${name}` }, found),
  )
  return removed.length > 0 || changed.includes(true)
}

function compareEntry({ before, after, path }: Pair, found: string[]): boolean {
  const now = lstatSync(`${after}${path}`, { bigint: true })
  const then = before === undefined ? undefined : lstatSync(`${before}${path}`, { bigint: true })
  const inner = then?.isDirectory() ? before : undefined
  const below = now.isDirectory() && compareFolders({ before: inner, after, path }, found)
  if (then && isSame(now, then) && !below) return false
  found.push(`${then ? 'changed' : 'added'} ${path}`)
  return true
}

function isSame(now: BigIntStats, then: BigIntStats): boolean {
  const same = now.mode === then.mode && now.uid === then.uid && now.gid === then.gid
  return same && (now.isDirectory() || (now.size === then.size && now.mtimeNs === then.mtimeNs))
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
