import { closeSync, constants, lstatSync } from 'node:fs'
import { pathOfName } from '#archive'
import { descriptorPath, isErrno, makeNode, openInRoot, openRoot, setTimes } from '#kernel'
import { copyFolderAttributes, ifThere } from '#store/snapshot'
import { markOpaque, mergedAt } from './folders.ts'
import { MergedFolder } from './merged.ts'
import type { OpenEnds } from './unpack.ts'

const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY

export interface PlaceInput {
  readonly upper: string
  /** Folders of the stack below, topmost first. */
  readonly lowers: readonly string[]
  readonly ends: OpenEnds
}

/**
 * Finishes a tree that was unpacked without its lowers: folders that no entry described get the attributes of those below,
 * an opaque root hides what is below it. False where the order of entries and layers matters (a folder on the way is a link
 * below, or was replaced): then the layer has to be unpacked anew, on its lowers.
 */
export function placeTree({ upper, lowers, ends }: PlaceInput): boolean {
  if (ends.disturbed || ends.isRefused) return false
  const root = openRoot(upper)
  try {
    for (const { path, isDescribed } of ends.assumed) {
      if (!settleFolder(root, lowers, { path: path.split('/'), isDescribed })) return false
    }
    if (ends.rootIsOpaque) hideLowerRoot(root, lowers)
    return true
  } finally {
    closeSync(root)
  }
}

interface AssumedPath {
  readonly path: readonly string[]
  readonly isDescribed: boolean
}

function settleFolder(root: number, lowers: readonly string[], { path, isDescribed }: AssumedPath): boolean {
  using parent = mergedAt(root, lowers, path.slice(0, -1))
  const lower = parent?.find(path.at(-1) ?? '')
  if (!lower) return true
  if (isDescribed || !lower.stat.isDirectory()) return false
  const folder = openFolder(root, path)
  if (folder === undefined) return false
  try {
    const at = `${descriptorPath(folder)}/.`
    copyFolderAttributes(lower.at, at)
  } finally {
    closeSync(folder)
  }
  return true
}

function openFolder(root: number, path: readonly string[]): number | undefined {
  try {
    return openInRoot(root, pathOfName(path.join('/')), O_PATH_FOLDER)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined
    throw error
  }
}

/** An opaque root: overlayfs has no such thing, so each name of the lowers that is not here gets a whiteout. */
export function hideLowerRoot(root: number, lowers: readonly string[]): void {
  if (lowers.length === 0) return
  const own = `${descriptorPath(root)}/.`
  const { atimeNs, mtimeNs } = lstatSync(own, { bigint: true })
  using below = MergedFolder.open(lowers)
  for (const name of below.names()) {
    const at = pathOfName(`${descriptorPath(root)}/${name}`)
    const here = ifThere(() => lstatSync(at))
    if (!here) makeNode(at, constants.S_IFCHR, 0)
    else if (here.isDirectory()) markOpaque(at)
  }
  setTimes(own, atimeNs, mtimeNs)
}
