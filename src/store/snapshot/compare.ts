import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
} from 'node:fs'
import { cancelled, invalid } from '#base'
import { descriptorPath, openInRoot, openRoot } from '#kernel'
import { isOpaque, readXattrs } from './attributes.ts'
import { ifThere, rawPath, type WalkOptions } from './tree.ts'

/** How an entry differs from the one that should be there. Path from the tree's root, one character a byte. */
interface TreeFault {
  readonly path: string
  readonly what: string
}

export interface TreeComparison {
  /** The first ones. */
  readonly differences: readonly TreeFault[]
  readonly count: number
  /** Bytes of files that were compared. */
  readonly bytes: number
}

const MAX_LISTED = 20
const MAX_DEPTH = 2100
const CHUNK = 1 << 18
const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY | constants.O_NOFOLLOW
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Compares a tree with the one that it should be: kinds, contents, owners, modes, xattrs, links, devices, times of what is no
 * folder. Memory grows with one folder's names and with files of several names alone. Never follows a link.
 */
export function compareTrees(
  { expected, actual }: { readonly expected: string; readonly actual: string },
  options: WalkOptions,
): TreeComparison {
  const comparer = new TreeComparer(options)
  const stats = [expected, actual].map((path) => lstatSync(path, { bigint: true, throwIfNoEntry: false }))
  const [one, other] = stats
  if (!one || !other?.isDirectory()) comparer.note('', 'is missing')
  else {
    comparer.attributes({ path: '', expected: { at: expected, stat: one }, actual: { at: actual, stat: other } })
    comparer.folders({ path: '', expected: openRoot(expected), actual: openRoot(actual), depth: 0 })
  }
  return comparer.result()
}

interface Side {
  readonly at: string | Buffer
  readonly stat: BigIntStats
}

interface Pair {
  readonly path: string
  readonly expected: Side
  readonly actual: Side
}

/** Two open folders; closed by who compares them. */
interface FolderPair {
  readonly path: string
  readonly expected: number
  readonly actual: number
  readonly depth: number
}

class TreeComparer {
  readonly #options: WalkOptions
  readonly #differences: TreeFault[] = []
  /** Of files with several names: which file should be which. */
  readonly #inodes = new Map<bigint, bigint>()
  readonly #buffers = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)] as const
  #count = 0
  #bytes = 0

  constructor(options: WalkOptions) {
    this.#options = options
  }

  note(path: string, what: string): void {
    this.#count += 1
    if (this.#differences.length < MAX_LISTED) this.#differences.push({ path, what })
  }

  result(): TreeComparison {
    return { differences: this.#differences, count: this.#count, bytes: this.#bytes }
  }

  folders(pair: FolderPair): void {
    try {
      if (pair.depth > MAX_DEPTH) throw invalid('cannot compare trees: their folders are nested too deeply')
      const there = new Set(namesOf(pair.actual))
      for (const name of namesOf(pair.expected)) {
        if (this.#options.cancelled()) throw cancelled('compare trees')
        this.#entry(pair, name, there.delete(name))
      }
      for (const name of there) this.note(join(pair.path, name), 'does not belong there')
    } finally {
      closeSync(pair.expected)
      closeSync(pair.actual)
    }
  }

  attributes({ path, expected, actual }: Pair): void {
    const [one, other] = [expected.stat, actual.stat]
    if (one.mode !== other.mode) this.note(path, 'has another mode')
    if (one.uid !== other.uid || one.gid !== other.gid) this.note(path, 'has another owner')
    if (xattrsOf(expected.at) !== xattrsOf(actual.at)) this.note(path, 'has other extended attributes')
    if (one.isDirectory()) return
    if (one.mtimeNs !== other.mtimeNs) this.note(path, 'has another time')
    if (one.rdev !== other.rdev) this.note(path, 'is another device')
  }

  #entry(pair: FolderPair, name: string, isThere: boolean): void {
    const path = join(pair.path, name)
    const expected = sideOf(pair.expected, name)
    const actual = isThere ? sideOf(pair.actual, name) : undefined
    if (!expected) return
    if (!actual) return this.note(path, 'is missing')
    if ((expected.stat.mode ^ actual.stat.mode) & BigInt(constants.S_IFMT)) return this.note(path, 'is of another kind')
    const both = { path, expected, actual }
    this.attributes(both)
    if (!this.#isNew(both)) return
    if (expected.stat.isDirectory()) this.#enter(pair, name, path)
    else if (expected.stat.isSymbolicLink()) this.#link(both)
    else if (expected.stat.isFile()) this.#file(both)
  }

  #enter(pair: FolderPair, name: string, path: string): void {
    const expected = openInRoot(pair.expected, rawPath(name), O_PATH_FOLDER)
    let actual: number
    try {
      actual = openInRoot(pair.actual, rawPath(name), O_PATH_FOLDER)
    } catch (error) {
      closeSync(expected)
      throw error
    }
    this.folders({ path, expected, actual, depth: pair.depth + 1 })
  }

  /** False for a further name of a file that was compared under its first. */
  #isNew({ path, expected, actual }: Pair): boolean {
    if (expected.stat.isDirectory()) return true
    if (expected.stat.nlink !== actual.stat.nlink) this.note(path, 'has another number of names')
    if (expected.stat.nlink === 1n) return true
    const known = this.#inodes.get(expected.stat.ino)
    if (known === undefined) this.#inodes.set(expected.stat.ino, actual.stat.ino)
    else if (known !== actual.stat.ino) this.note(path, 'is another file than its other names')
    return known === undefined || known !== actual.stat.ino
  }

  #link({ path, expected, actual }: Pair): void {
    const [one, other] = [expected, actual].map(({ at }) => readlinkSync(at, { encoding: 'latin1' }))
    if (one !== other) this.note(path, 'leads elsewhere')
  }

  #file({ path, expected, actual }: Pair): void {
    this.#bytes += Number(expected.stat.size)
    if (expected.stat.size !== actual.stat.size) {
      this.note(path, `has ${actual.stat.size} bytes, not ${expected.stat.size}`)
      return
    }
    if (expected.stat.size > 0n && !this.#sameBytes(expected.at, actual.at)) this.note(path, 'has other bytes')
  }

  #sameBytes(one: Side['at'], other: Side['at']): boolean {
    const [a, b] = this.#buffers
    const first = openSync(one, READ_FLAGS)
    const second = openSync(other, READ_FLAGS)
    try {
      for (;;) {
        if (this.#options.cancelled()) throw cancelled('compare trees')
        const count = readSync(first, a, 0, CHUNK, null)
        if (readSync(second, b, 0, CHUNK, null) !== count) return false
        if (count === 0) return true
        if (a.compare(b, 0, count, 0, count) !== 0) return false
      }
    } finally {
      closeSync(first)
      closeSync(second)
    }
  }
}

function namesOf(fd: number): readonly string[] {
  return readdirSync(descriptorPath(fd), { encoding: 'latin1' })
}

function sideOf(folder: number, name: string): Side | undefined {
  const at = rawPath(`${descriptorPath(folder)}/${name}`)
  const stat = ifThere(() => lstatSync(at, { bigint: true }))
  return stat && { at, stat }
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}

function xattrsOf(at: Side['at']): string {
  const xattrs = [...readXattrs(at)].map(([name, value]) => `${name}=${value.toString('base64')}`)
  return `${isOpaque(at)} ${xattrs.toSorted().join(' ')}`
}
