import { lstatSync } from 'node:fs'
import type { JobContext, PlainStat } from '#kernel'
import { walkTree } from './tree.ts'

export interface SurveyInput {
  readonly root: string
  /** Folders below the root whose entries are told one by one; each as a path without a slash in front. */
  readonly split: readonly string[]
  /** Bytes of blocks of what is in these folders, which is known and not walked. */
  readonly known: Readonly<Record<string, number>>
}

/** Something in a folder that is split, with all that is in it; or a split folder by itself. */
export interface SurveyedItem {
  /** From the root, without a slash in front; empty for the root itself. */
  readonly path: string
  /** Bytes of blocks. */
  readonly size: number
  readonly split: boolean
}

const BLOCK = 512n

/**
 * Measures everything below a folder, on its own file system. The sizes add up to what `du -x` says of it: blocks that
 * are allocated, an entry with several names once. What vanishes meanwhile is left out.
 */
export function surveyTree({ root, split, known }: SurveyInput, context: JobContext): readonly SurveyedItem[] {
  const top = lstatSync(root, { bigint: true })
  const items = [{ path: '', size: Number(top.blocks * BLOCK), split: true }]
  const splits = new Set(split)
  const isNew = firstOfLinks()
  const add = (path: string, size: number, isSplit: boolean) => {
    const item = { path, size, split: isSplit }
    items.push(item)
    return item
  }
  walkTree<Place>(
    root,
    {},
    {
      enter({ path, stat }, { item }) {
        if (stat.dev !== top.dev || !isNew(stat)) return undefined
        const own = Number(stat.blocks * BLOCK)
        const isSplit = item === undefined && splits.has(path) && stat.isDirectory()
        const place = item ?? add(path, 0, isSplit)
        place.size += own + (known[path] ?? 0)
        if (isSplit) return {}
        return known[path] === undefined ? { item: place } : undefined
      },
    },
    context,
  )
  return items
}

interface Place {
  /** What a visited entry is counted with; absent in a folder that is split. */
  readonly item?: { size: number }
}

/** Says of an entry whether its inode has not been seen yet. */
function firstOfLinks(): (stat: PlainStat) => boolean {
  const seen = new Set<bigint>()
  return (stat) => {
    if (stat.nlink === 1n || stat.isDirectory()) return true
    if (seen.has(stat.ino)) return false
    seen.add(stat.ino)
    return true
  }
}
