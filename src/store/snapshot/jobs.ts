import { readdirSync, renameSync, rmdirSync, statSync, unlinkSync } from 'node:fs'
import type { JobContext } from '#kernel'
import { compareTrees, type TreeComparison } from './compare.ts'
import { copyTree } from './copy.ts'
import { type SurveyInput, type SurveyedItem, surveyTree } from './survey.ts'
import { ifThere, rawPath, walkTree } from './tree.ts'
import type { Usage } from './types.ts'

/** Deeper folders are moved up first: so many descriptors are open at once. */
const REMOVAL_DEPTH = 200

/** Synchronous work of this room, run in a worker. */
export const snapshotJobs = {
  /** Bytes of blocks and inodes of a tree; an entry with several names counts once. */
  'tree.usage': (path: string, context: JobContext): Usage => measureTree(path, context),
  /** Removes a folder and all in it, however deep; gives the bytes of blocks that went, its own too. Fine where it is not there. */
  'tree.remove': (path: string, context: JobContext): number => removeTree(path, context),
  /** Copies all that is in one folder to another, which exists; with owners, times, xattrs, whiteouts, hard links, holes. */
  'tree.copy': ({ from, to }: { readonly from: string; readonly to: string }, context: JobContext): void =>
    copyTree(from, to, context),
  'tree.isEmpty': (path: string): boolean => readdirSync(path).length === 0,
  /** See `surveyTree`. */
  'tree.survey': (input: SurveyInput, context: JobContext): readonly SurveyedItem[] => surveyTree(input, context),
  /** How a tree differs from the one that it should be. */
  'tree.compare': (
    trees: { readonly expected: string; readonly actual: string },
    context: JobContext,
  ): TreeComparison => compareTrees(trees, context),
}

const BLOCK = 512n

function measureTree(path: string, context: JobContext): Usage {
  const seen = new Set<bigint>()
  let blocks = 0n
  let inodes = 0
  walkTree(
    path,
    true,
    {
      enter({ stat }) {
        if (stat.nlink > 1n && !stat.isDirectory()) {
          if (seen.has(stat.ino)) return undefined
          seen.add(stat.ino)
        }
        blocks += stat.blocks
        inodes += 1
        return true
      },
    },
    context,
  )
  return { size: Number(blocks * BLOCK), inodes }
}

function removeTree(path: string, context: JobContext): number {
  const top = statSync(path, { throwIfNoEntry: false, bigint: true })
  if (!top) return 0
  let size = Number(top.blocks * BLOCK)
  let moved = 0
  for (let before = -1; before !== moved;) {
    before = moved
    const remove = { depth: 0 }
    walkTree(
      path,
      remove,
      {
        enter({ at, stat }, { depth }) {
          if (stat.nlink === 1n || stat.isDirectory()) size += Number(stat.blocks * BLOCK)
          if (!stat.isDirectory()) {
            ifThere(() => unlinkSync(at))
            return undefined
          }
          if (depth < REMOVAL_DEPTH) return { depth: depth + 1 }
          renameSync(at, rawPath(`${path}/.deep-${(moved += 1)}`))
          return undefined
        },
        leave: ({ at }) => rmdirSync(at),
      },
      context,
    )
  }
  rmdirSync(path)
  return size
}
