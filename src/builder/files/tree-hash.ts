import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { cancelled } from '#base'
import { getXattr, listXattrs } from '#kernel'
import type { JobContext } from '#kernel'
import type { ConfinedRoot, Xattr } from '#tree'
import { hashDescriptor } from './file-digests.ts'
import type { FileDigests } from './file-digests.ts'
import { join } from './select.ts'
import type { Entry, Selection } from './select.ts'

/** The reference clock of a job: nanoseconds since the epoch. */
export type Now = () => bigint

/** A folder or root that is read, with what is known of its files. */
export interface ReadTree {
  readonly root: ConfinedRoot
  readonly digests: FileDigests
  readonly now: Now
  /** Owners count: for copies that keep them. */
  readonly owners: boolean
  readonly context: JobContext
}

/** The hash of selections: names, kinds, modes, links, devices, capabilities, bytes, and owners where they count; never times. */
export class TreeHash {
  readonly #hash: Hash = createHash('sha256')
  readonly #owners: boolean

  constructor(owners: boolean) {
    this.#owners = owners
  }

  begin(selection: Selection): void {
    this.#add('source', selection.name, selection.entries.length)
  }

  /** `bytes` is a file's digest. */
  entry(entry: Entry, facts: { readonly bytes?: string; readonly xattrs: readonly Xattr[] }): void {
    const { stat } = entry
    const owner = this.#owners ? `${stat.uid}:${stat.gid}` : ''
    const content = facts.bytes ?? entry.link ?? (entry.kind === 'node' ? `${stat.rdev}` : '')
    const mode = entry.kind === 'link' ? 0 : Number(stat.mode)
    const xattrs = facts.xattrs.map(({ name, value }) => `${name}=${value.toString('hex')}`)
    this.#add(entry.kind, entry.path, mode, owner, content, xattrs.join(' '))
  }

  digest(): string {
    return this.#hash.digest('hex')
  }

  #add(...parts: readonly (string | number)[]): void {
    this.#hash.update(`${JSON.stringify(parts)}\n`)
  }
}

/** The extended attributes that a copy keeps. */
export function keptXattrs(path: string | Buffer): readonly Xattr[] {
  const names = listXattrs(path).filter((name) => name === 'security.capability' || name.startsWith('user.'))
  return names.toSorted().flatMap((name) => {
    const value = getXattr(path, name)
    return value === undefined ? [] : [{ name, value }]
  })
}

/** Hashes without copying; an unchanged file costs its stat. */
export function hashSelections(tree: ReadTree, selections: readonly Selection[]): string {
  const hash = new TreeHash(tree.owners)
  for (const selection of selections) {
    hash.begin(selection)
    for (const entry of selection.entries) {
      if (tree.context.cancelled()) throw cancelled('hash files')
      const path = pathOfEntry(tree.root, selection, entry)
      const xattrs = entry.kind === 'link' ? [] : keptXattrs(path)
      hash.entry(entry, entry.kind === 'file' ? { bytes: fileDigest(tree, selection, entry), xattrs } : { xattrs })
    }
  }
  return hash.digest()
}

/** A path for node:fs to an entry of a selection. */
export function pathOfEntry(root: ConfinedRoot, selection: Selection, entry: Entry): string | Buffer {
  const whole = join(selection.place, entry.path)
  const slash = whole.lastIndexOf('/')
  return root.entry(slash < 0 ? '' : whole.slice(0, slash), whole.slice(slash + 1))
}

function fileDigest(tree: ReadTree, selection: Selection, entry: Entry): string {
  const key = join(selection.place, entry.path)
  return tree.digests.find(key, entry.stat) ?? readEntry(tree, selection, entry).digest
}

/** A fifo that took the file's place would block: hence O_NONBLOCK. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Reads a file once; what goes into the digest goes to `take`. The digest is remembered where the file held still. */
export function readEntry(
  tree: ReadTree,
  selection: Selection,
  entry: Entry,
  take?: (chunk: Buffer) => void,
): { readonly digest: string } {
  const fd = openSync(pathOfEntry(tree.root, selection, entry), READ_FLAGS)
  try {
    const before = fstatSync(fd, { bigint: true })
    const digest = hashDescriptor(fd, Number(before.size), take)
    const after = fstatSync(fd, { bigint: true })
    tree.digests.remember(join(selection.place, entry.path), { before, after, now: tree.now() }, digest)
    return { digest }
  } finally {
    closeSync(fd)
  }
}
