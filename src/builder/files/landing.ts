import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
} from 'node:fs'
import { posix } from 'node:path'
import { nameOfText } from '#archive'
import { errnoOf } from '#base'
import { listXattrs, removeXattr, setTimes } from '#kernel'
import { type ConfinedRoot, TreeWriter } from '#tree'
import { folderPlace, placeOf } from './copy-tree.ts'
import type { Copy, Landing } from './copy-tree.ts'
import type { ForeseenLayer } from './foreseen-layer.ts'
import { hasOwnAttributes } from './layer-files.ts'
import { ReceivedTree } from './received-tree.ts'
import type { Selection } from './select.ts'
import type { ReadTree } from './tree-hash.ts'

const MADE_MODE = 0o755
const PLACEHOLDER = { mode: 0o600, owner: { uid: 0, gid: 0 }, xattrs: [] }

/**
 * Makes the destination where nothing is there yet. Below it nothing of the root shows, so what is copied can be written
 * into the layer without the mount: `leave` takes that away and gives the layer. False where something is there.
 */
export function landOnNew(copy: Copy, selections: readonly Selection[], leave: () => ConfinedRoot): boolean {
  const { root, destination } = copy.target
  const wanted = nameOfText(destination)
  const [first, ...others] = selections
  if (first === undefined || root.stat(wanted) !== undefined) return false
  const isFolder = others.length > 0 || destination.endsWith('/') || first.entries[0]?.kind === 'folder'
  const place = isFolder ? folderPlace(copy) : newFile(copy, wanted)
  const upper = leave()
  // the name is free again, also for a link to a file that is there
  if (!isFolder) unlinkSync(upper.entry(posix.dirname(place), posix.basename(place)))
  copy.writer = new TreeWriter(upper)
  copy.landing = { root: upper, place, isFolder }
  return true
}

/** An empty file, so that the folders above it are in the layer. */
function newFile(copy: Copy, wanted: string): string {
  const place = copy.target.root.freePlace(wanted, copy.owner ?? PLACEHOLDER.owner)
  copy.writer.file(posix.dirname(place), posix.basename(place), () => PLACEHOLDER)
  return place
}

/** Moves a whole folder of a received context that nobody reads any more to its new place. False where that cannot be. */
export function moveWhole(copy: Copy, { source }: ReadTree, selections: readonly Selection[]): boolean {
  const { landing } = copy
  const [selection, ...others] = selections
  if (landing === undefined || selection === undefined || others.length > 0) return false
  const { place, entries } = selection
  if (!(source instanceof ReceivedTree) || entries[0]?.kind !== 'folder' || hasOwnAttributes(copy)) return false
  return source.isWhole(place, entries.length) && moveFolder(source.pathOf(place), landing)
}

/** True where a copy has made just what was foreseen; then the folder that it made has the time that was foreseen too. */
export function isAsForeseen(copy: Copy, foreseen: ForeseenLayer, selections: readonly Selection[]): boolean {
  const { landing } = copy
  const [selection, ...others] = selections
  if (landing === undefined || selection === undefined || others.length > 0 || hasOwnAttributes(copy)) return false
  const { source, entries, place, made } = foreseen
  if (selection.place !== source || selection.entries.length !== entries || placeOf(copy, selection) !== place)
    return false
  if (made === undefined) return !landing.isFolder
  return landing.place === made.folder && takesTime(landing, made.mtime)
}

/** Gives the folder that a copy has made this time. False where the folder has something else that nobody foresees. */
export function takesTime({ root, place }: Landing, mtime: bigint): boolean {
  const at = root.entry(posix.dirname(place), posix.basename(place))
  // overlay marks a new folder so, to be faster: nothing is below that it could hide
  removeXattr(at, 'trusted.overlay.opaque')
  const { mode, uid, gid } = lstatSync(at)
  if ((mode & 0o7777) !== MADE_MODE || uid !== 0 || gid !== 0 || listXattrs(at).length > 0) return false
  setTimes(at, mtime, mtime)
  // a file system may round it
  return lstatSync(at, { bigint: true }).mtimeNs === mtime
}

/** The destination keeps its own attributes. */
function moveFolder(from: string | Buffer, { root, place }: Landing): boolean {
  const to = root.entry(posix.dirname(place), posix.basename(place))
  const { mode, uid, gid, atime, mtime } = lstatSync(to)
  try {
    renameSync(from, to)
  } catch (error) {
    if (errnoOf(error) === 'EXDEV') return false
    throw error
  }
  const fd = openSync(to, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    fchownSync(fd, uid, gid)
    fchmodSync(fd, mode & 0o7777)
    futimesSync(fd, atime, mtime)
  } finally {
    closeSync(fd)
  }
  return true
}
