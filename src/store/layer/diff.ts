import { closeSync, constants, lstatSync, openSync, readSync, readlinkSync } from 'node:fs'
import { type TarInput, TarWriter, quoteName } from '#archive'
import { conflict, unsupported } from '#base'
import { splitDevice } from '#kernel'
import { type TreeEntry, isOpaque, readXattrs, walkTree } from '#store/snapshot'
import { isWhiteout } from './merged.ts'

/** The tree whose layer is wanted. */
export interface LayerTree {
  readonly upper: string
  /** The root folder of the snapshot below, where there is one. */
  readonly below?: string | undefined
}

const WHITEOUT_PREFIX = '.wh.'
const OPAQUE_NAME = '.wh..wh..opq'
const CHUNK = 1 << 18
/** A fifo or link that took the file's place would block or lead away. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

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
  readonly #tar: TarWriter
  readonly #names = new Map<bigint, string>()
  readonly #buffer = Buffer.allocUnsafe(CHUNK)
  content = 0

  constructor(put: (chunk: Buffer) => void) {
    this.#tar = new TarWriter(put)
  }

  root({ upper, below }: LayerTree): void {
    const stat = lstatSync(upper, { bigint: true })
    if (rootFacts(upper) === (below === undefined ? BARE_ROOT : rootFacts(below))) return
    this.#tar.entry({ kind: 'directory', path: './', ...attributesOf({ name: '', path: '', at: upper, stat }) })
  }

  enter(entry: TreeEntry): true {
    const { stat, path, name } = entry
    if (name.startsWith(WHITEOUT_PREFIX)) {
      throw unsupported(`cannot make a layer: ${quoteName(path)} has a name that layers keep for removals`)
    }
    if (isWhiteout(stat))
      this.#tar.entry({ kind: 'file', path: `${path.slice(0, -name.length)}${WHITEOUT_PREFIX}${name}` })
    else if (!stat.isSocket()) this.#write(entry)
    return true
  }

  finish(): void {
    this.#tar.finish()
  }

  #write(entry: TreeEntry): void {
    const { stat, path, at } = entry
    const first = stat.nlink > 1n && !stat.isDirectory() ? this.#names.get(stat.ino) : undefined
    if (first !== undefined) {
      this.#tar.entry({ kind: 'hardlink', path, link: first, ...attributesOf(entry) })
      return
    }
    this.#tar.entry({ path, ...kindOf(entry), ...attributesOf(entry) })
    if (stat.isFile()) this.#copy(entry)
    else if (stat.isDirectory() && isOpaque(at)) this.#tar.entry({ kind: 'file', path: `${path}/${OPAQUE_NAME}` })
    if (stat.nlink > 1n && !stat.isDirectory()) this.#names.set(stat.ino, path)
  }

  #copy({ at, path, stat }: TreeEntry): void {
    if (stat.size === 0n) return
    this.content += Number(stat.size)
    const fd = openSync(at, READ_FLAGS)
    try {
      for (let left = Number(stat.size); left > 0;) {
        const count = readSync(fd, this.#buffer, 0, Math.min(left, CHUNK), null)
        if (count === 0) throw conflict(`cannot make a layer: ${quoteName(path)} became shorter while it was read`)
        this.#tar.body(this.#buffer.subarray(0, count))
        left -= count
      }
    } finally {
      closeSync(fd)
    }
  }
}

function kindOf({ stat, at }: TreeEntry): Pick<TarInput, 'kind' | 'size' | 'link' | 'major' | 'minor'> {
  if (stat.isFile()) return { kind: 'file', size: Number(stat.size) }
  if (stat.isDirectory()) return { kind: 'directory' }
  if (stat.isSymbolicLink()) return { kind: 'symlink', link: readlinkSync(at, { encoding: 'latin1' }) }
  if (stat.isFIFO()) return { kind: 'fifo' }
  return { kind: stat.isBlockDevice() ? 'block' : 'character', ...splitDevice(stat.rdev) }
}

function attributesOf({ stat, at }: TreeEntry): Pick<TarInput, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'> {
  const { mode, uid, gid, mtimeNs } = stat
  return { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtime: mtimeNs, xattrs: readXattrs(at) }
}

/** What makes the entry of a root worth writing, as one text. */
function rootFacts(path: string): string {
  const { mode, uid, gid } = lstatSync(path)
  const xattrs = [...readXattrs(path)].map(([name, value]) => `${name}=${value.toString('base64')}`)
  return JSON.stringify([mode & 0o7777, uid, gid, xattrs.toSorted()])
}

const BARE_ROOT = JSON.stringify([0o755, 0, 0, []])
