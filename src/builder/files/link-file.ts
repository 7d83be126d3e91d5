import { lstatSync } from 'node:fs'
import { attributesOf } from './attributes.ts'
import type { Copy, EntryCopy } from './copy-tree.ts'
import type { FileFacts } from './file-digests.ts'
import { linked } from './layer-files.ts'
import { ReceivedTree } from './received-tree.ts'
import { standing } from './select.ts'

/** A name in the layer. */
interface Place {
  readonly folder: string
  readonly name: string
}

type Linking = Pick<EntryCopy, 'tree' | 'selection' | 'entry'>

/** Puts a file into a new place of the layer as a second name of one that is there. Undefined where it has to be copied. */
export function linkFile(copy: Copy, from: Linking, to: Place): FileFacts | undefined {
  if (copy.landing === undefined) return undefined
  return from.tree.source instanceof ReceivedTree
    ? linkReceived(copy, from.tree.source, from, to)
    : linkEarlier(copy, from, to)
}

/** A file of a received context, as long as it has no other name: two layers of one root must not show it as one file. */
function linkReceived(
  copy: Copy,
  source: ReceivedTree,
  { tree, selection, entry }: Linking,
  to: Place,
): FileFacts | undefined {
  if (tree.use === 'copy' || hasOwnAttributes(copy)) return undefined
  const [folder, name] = standing(selection, entry)
  const from = source.pathAt(folder, name)
  return lstatSync(from).nlink === 1 && linked(from, placeIn(copy, to)) ? source.known(folder, name) : undefined
}

/** A file that has not changed since the same copy was made before. */
function linkEarlier(copy: Copy, { tree, selection, entry }: Linking, to: Place): FileFacts | undefined {
  if (copy.earlier === undefined) return undefined
  const facts = tree.source.known(...standing(selection, entry), entry.stat)
  if (facts === undefined || facts.xattrs.length > 0) return undefined
  const wanted = { digest: facts.digest, size: entry.stat.size, attributes: attributesOf(copy, entry) }
  return copy.earlier.link(to, wanted, copy.landing?.root ?? copy.target.root) ? facts : undefined
}

function placeIn(copy: Copy, { folder, name }: Place): string | Buffer {
  return (copy.landing?.root ?? copy.target.root).entry(folder, name)
}

/** Owner or mode are not those of the source. */
export function hasOwnAttributes(copy: Copy): boolean {
  return copy.owner !== undefined || copy.mode !== undefined
}
