import { lstatSync } from 'node:fs'
import { quoteName } from '#archive'
import { unsupported } from '#base'
import { type TreeEntry, isOpaque, readXattrs, walkTree } from '#store/snapshot'
import { isWhiteout } from './merged.ts'
import { TreeTar } from './tree-tar.ts'

/** The tree whose layer is wanted. */
export interface LayerTree {
  readonly upper: string
  /** The root folder of the snapshot below, where there is one. */
  readonly below?: string | undefined
}

const WHITEOUT_PREFIX = '.wh.'
const OPAQUE_NAME = '.wh..wh..opq'

/**
 * Writes an upper folder as a layer (image-spec, layer.md): folders before what is in them, siblings in the order of
 * their bytes; whiteouts as empty files without owner or time; the root only where its mode, owner or xattrs differ from
 * the root below; second names of a file as hard links; sockets left out; holes as zeros. With the writer's rules this
 * fixes the diff id: it is part of rule set 1. `put` gets chunks that are valid during the call. Gives the bytes of all files.
 */
export function writeLayer(tree: LayerTree, put: (chunk: Buffer) => void, options: { cancelled(): boolean }): number {
  const writer = new LayerWriter(put)
  writer.root(tree)
  walkTree(tree.upper, true, { enter: (entry) => writer.enter(entry) }, options)
  writer.finish()
  return writer.content
}

class LayerWriter {
  readonly #tar: TreeTar

  constructor(put: (chunk: Buffer) => void) {
    this.#tar = new TreeTar(put)
  }

  get content(): number {
    return this.#tar.content
  }

  root({ upper, below }: LayerTree): void {
    if (!changesRoot({ upper, below })) return
    const stat = lstatSync(upper, { bigint: true })
    this.#tar.add({ name: '', path: '', at: upper, stat }, './')
  }

  enter(entry: TreeEntry): true {
    const { stat, path, name, at } = entry
    if (name.startsWith(WHITEOUT_PREFIX)) {
      throw unsupported(`cannot make a layer: ${quoteName(path)} has a name that layers keep for removals`)
    }
    if (isWhiteout(stat)) this.#tar.mark(`${path.slice(0, -name.length)}${WHITEOUT_PREFIX}${name}`)
    else this.#tar.add(entry)
    if (stat.isDirectory() && isOpaque(at)) this.#tar.mark(`${path}/${OPAQUE_NAME}`)
    return true
  }

  finish(): void {
    this.#tar.finish()
  }
}

/** True where the root itself is an entry of the layer. */
export function changesRoot({ upper, below }: LayerTree): boolean {
  return rootFacts(upper) !== (below === undefined ? BARE_ROOT : rootFacts(below))
}

/** What makes the entry of a root worth writing, as one text. */
function rootFacts(path: string): string {
  const { mode, uid, gid } = lstatSync(path)
  const xattrs = [...readXattrs(path)].map(([name, value]) => `${name}=${value.toString('base64')}`)
  return JSON.stringify([mode & 0o7777, uid, gid, xattrs.toSorted()])
}

const BARE_ROOT = JSON.stringify([0o755, 0, 0, []])
