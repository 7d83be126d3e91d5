import { linkSync, lstatSync } from 'node:fs'
import { errnoOf } from '#base'
import type { Copy, EntryCopy } from './copy-tree.ts'
import type { FileFacts } from './file-digests.ts'
import { ReceivedTree } from './received-tree.ts'
import { standing } from './select.ts'

/** A name in the layer. */
interface Place {
  readonly folder: string
  readonly name: string
}

/**
 * Puts a file of a received context into the layer as a second name of it, as long as it has no other: two layers of one
 * root must not show it as one file. Undefined where it has to be copied.
 */
export function linkFile(
  copy: Copy,
  { tree: { source, use }, selection, entry }: Pick<EntryCopy, 'tree' | 'selection' | 'entry'>,
  to: Place,
): FileFacts | undefined {
  if (copy.landing === undefined || use === 'copy') return undefined
  if (!(source instanceof ReceivedTree) || hasOwnAttributes(copy)) return undefined
  const [folder, name] = standing(selection, entry)
  const from = source.pathAt(folder, name)
  if (lstatSync(from).nlink > 1 || !makeLink(from, copy, to)) return undefined
  return source.known(folder, name)
}

function makeLink(from: string | Buffer, copy: Copy, { folder, name }: Place): boolean {
  try {
    linkSync(from, copy.landing?.root.entry(folder, name) ?? from)
    return true
  } catch (error) {
    if (['EXDEV', 'EEXIST', 'EMLINK', 'EPERM'].includes(errnoOf(error) ?? '')) return false
    throw error
  }
}

/** Owner or mode are not those of the source. */
export function hasOwnAttributes(copy: Copy): boolean {
  return copy.owner !== undefined || copy.mode !== undefined
}
