import { posix } from 'node:path'
import { cancelled, invalid } from '#base'
import { nameOfText } from '#archive'
import type { InlineFile } from '#dockerfile'
import { parseChmod } from './chmod.ts'
import type { ModeChange } from './chmod.ts'
import type { MadeHash } from './foretold-copy.ts'
import { attributesOf, findOwner, modeOf, ROOT } from './owner.ts'
import { type EarlierLayer, LayerFiles, linkFile } from './layer-files.ts'
import { join, standing } from './select.ts'
import type { Entry, Selection } from './select.ts'
import { TreeHash } from './tree-hash.ts'
import type { ReadTree } from './tree-hash.ts'
import { TreeWriter } from '#tree'
import type { ConfinedRoot, Owner } from '#tree'
import type { FileFacts } from './file-digests.ts'

const FILE_MODE = 0o644

/** Where and how COPY writes. */
export interface CopyTarget {
  readonly root: ConfinedRoot
  /** Absolute, as written: `/` at its end means a folder. */
  readonly destination: string
  readonly chown?: string
  readonly chmod?: string
  /** Owner of what has none of its own: root, or the source's where owners are kept. */
  readonly keepOwners: boolean
}

/** A copy under way. */
export interface Copy {
  readonly target: CopyTarget
  writer: TreeWriter
  /** Where everything goes, once that is known to be new; then the writer's root is the layer itself. */
  landing?: Landing
  /** What the same copy made before; only where it lands on a new place. */
  earlier?: EarlierLayer
  /** Where something says beside what the copy will make: what it has made. */
  made?: MadeHash
  /** Files that went into the layer. */
  readonly files: LayerFiles
  readonly owner: Owner | undefined
  readonly mode: ModeChange | undefined
  /** Files with several names that were copied already, by device and inode. */
  readonly linked: Map<string, Copied>
}

/** A place that the copy has made. */
export interface Landing {
  readonly root: ConfinedRoot
  /** A raw name below the root. */
  readonly place: string
  readonly isFolder: boolean
}

interface Copied {
  readonly folder: string
  readonly name: string
  readonly facts: FileFacts
}

export function beginCopy(target: CopyTarget): Copy {
  const owner = target.chown === undefined ? undefined : findOwner(target.root, target.chown)
  const mode = target.chmod === undefined ? undefined : parseChmod(target.chmod)
  return { target, writer: new TreeWriter(target.root), owner, mode, linked: new Map(), files: new LayerFiles() }
}

/** Copies selections and says what went in: the same hash that `hashSelections` gives. */
export function copySelections(copy: Copy, tree: ReadTree, selections: readonly Selection[]): string {
  const hash = new TreeHash(tree.owners)
  for (const selection of selections) {
    hash.begin(selection)
    const place = placeOf(copy, selection)
    for (const entry of selection.entries) {
      if (tree.context.cancelled()) throw cancelled('copy files')
      copyEntry({ copy, tree, hash, selection, entry, place })
    }
  }
  copy.writer.finish()
  return hash.digest()
}

/** Files that stand in the Dockerfile. */
export function writeInline(copy: Copy, files: readonly InlineFile[], count: number): void {
  checkDestination(copy.target, count > 1)
  for (const file of files) {
    const place = filePlace(copy, nameOfText(file.name))
    const attributes = { mode: modeOf(copy, FILE_MODE, false), owner: copy.owner ?? ROOT, xattrs: [] }
    copy.writer.file(posix.dirname(place), posix.basename(place), (append) => {
      append(Buffer.from(file.text))
      return attributes
    })
  }
}

/** Where the top of a selection goes. */
export function placeOf(copy: Copy, { name, entries }: Selection): string {
  const isFolder = entries[0]?.kind === 'folder'
  const { landing } = copy
  if (landing !== undefined) return isFolder || !landing.isFolder ? landing.place : join(landing.place, name)
  return isFolder ? folderPlace(copy) : filePlace(copy, name)
}

export function checkDestination(target: CopyTarget, many: boolean): void {
  if (many && !target.destination.endsWith('/'))
    throw invalid(
      'When using COPY with more than one source file, the destination must be a directory and end with a /',
    )
}

/** The destination as a folder, made with those above it where it is missing. */
export function folderPlace(copy: Copy): string {
  const place = nameOfText(copy.target.destination)
  copy.target.root.makeFolders(place, copy.owner ?? ROOT)
  return copy.target.root.freePlace(place, copy.owner ?? ROOT)
}

/** Where a file goes: into the destination if it is a folder or meant as one, else to exactly that name, links followed. */
function filePlace(copy: Copy, name: string): string {
  const { root, destination } = copy.target
  const place = nameOfText(destination)
  if (destination.endsWith('/') || root.stat(place)?.isDirectory()) return join(folderPlace(copy), name)
  return root.freePlace(place, copy.owner ?? ROOT)
}

export interface EntryCopy {
  readonly copy: Copy
  readonly tree: ReadTree
  readonly hash: TreeHash
  readonly selection: Selection
  readonly entry: Entry
  /** Of the selection's top. */
  readonly place: string
}

function copyEntry({ copy, tree, hash, selection, entry, place }: EntryCopy): void {
  const path = join(place, entry.path)
  const slash = path.lastIndexOf('/')
  const to = { folder: slash < 0 ? '' : path.slice(0, slash), name: path.slice(slash + 1) }
  if (entry.kind === 'file') {
    const facts = copyFile({ copy, tree, hash, selection, entry, place }, to)
    if (facts.xattrs.length === 0) copy.files.note(path, facts.digest)
    const { digest: content, xattrs } = facts
    copy.made?.add(path, { kind: 'file', ...attributesOf(copy, entry), xattrs, content })
    return hash.entry(entry, facts)
  }
  const xattrs = entry.kind === 'link' ? [] : tree.source.xattrs(...standing(selection, entry))
  hash.entry(entry, { xattrs })
  const attributes = { ...attributesOf(copy, entry), xattrs }
  if (entry.path !== '' || entry.kind !== 'folder')
    copy.made?.add(path, { kind: entry.kind, ...attributes, content: entry.link })
  if (entry.kind === 'link') copy.writer.link(to.folder, to.name, attributes, entry.link ?? '')
  else if (entry.kind === 'node')
    copy.writer.node(to.folder, to.name, { ...attributes, mode: Number(entry.stat.mode) }, entry.stat.rdev)
  // the top folder is the destination itself: its contents are copied, not its attributes
  else if (entry.path !== '') copy.writer.folder(to.folder, to.name, attributes)
}

/** Names of one file stay names of one file where owners are kept too; a context has none. */
function copyFile(
  { copy, tree, selection, entry }: EntryCopy,
  { folder, name }: { readonly folder: string; readonly name: string },
): FileFacts {
  const several = copy.target.keepOwners && entry.stat.nlink > 1n
  const inode = `${entry.stat.dev} ${entry.stat.ino}`
  const known = several ? copy.linked.get(inode) : undefined
  if (known !== undefined) {
    copy.writer.hardLink(folder, name, known)
    return known.facts
  }
  const linked = linkFile(copy, { tree, selection, entry }, { folder, name })
  if (linked !== undefined) return linked
  const facts = copy.writer.file(folder, name, (append) => {
    const read = tree.source.read(...standing(selection, entry), append)
    return { ...attributesOf(copy, entry), ...read }
  })
  if (several) copy.linked.set(inode, { folder, name, facts })
  return facts
}
