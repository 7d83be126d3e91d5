import { type RawName, textOfName } from '#archive'
import { type FramedBody, invalid } from '#base'
import { type JobContext, readBodyWaiting } from '#kernel'
import { TreeTar } from '#store/layer'
import { type TreeEntry, walkTree } from '#store/snapshot'
import { ConfinedRoot, type Owner, unpackTar } from '#tree'
import type { PathStat } from '#container/record'
import { FoundPath, followLinks, inRoot, locateFolder, parseWanted } from './path-in-root.ts'
import { type TarOutput, tarOutput } from './tar-output.ts'

interface PathInput {
  /** A mounted view. */
  readonly root: string
  /** As the client wrote them. */
  readonly container: string
  readonly path: RawName
}

export type StatInput = PathInput

export interface PackInput extends PathInput, TarOutput {}

export interface UnpackInput extends PathInput {
  /** The pipe or socket that the plain tar comes from; the caller closes it. */
  readonly fd: number
  /** What comes from it is framed so; without, it is the tar itself, to its end. */
  readonly framed?: FramedBody
  readonly readonlyRoot: boolean
  readonly mounts: readonly { readonly destination: string; readonly readonly: boolean }[]
  /** Instead of the owners in the archive. */
  readonly owner?: Owner
  /** Folders and other things do not replace each other. */
  readonly keepKinds: boolean
}

/** Synchronous work of copying from and to containers, run in a worker. */
export const copyJobs = {
  'container.stat': (input: StatInput): PathStat => inRoot(input.root, input, (root) => statPath(root, input.path)),
  'container.pack': (input: PackInput, context: JobContext): void =>
    inRoot(input.root, input, (root) => packPath(root, input, context)),
  'container.unpack': (input: UnpackInput, context: JobContext): void => unpackPath(input, context),
}

function statPath(root: number, path: RawName): PathStat {
  const wanted = parseWanted(path)
  using found = new FoundPath(root, wanted)
  const { mode, size, mtimeNs } = found.stat
  return {
    name: textOfName(wanted.base),
    size: Number(size),
    mode: Number(mode),
    mtime: mtimeNs,
    linkTarget: found.stat.isSymbolicLink() ? textOfName(followLinks(root, wanted.path)) : '',
  }
}

function packPath(root: number, input: PackInput, context: JobContext): void {
  const wanted = parseWanted(input.path)
  using found = new FoundPath(root, wanted)
  const { put, send } = tarOutput(input, context)
  const tar = new TreeTar(put, send)
  const { stat, at } = found
  const top: TreeEntry = { name: '', path: wanted.base, at, stat }
  tar.add(top)
  if (stat.isDirectory()) {
    const before = wanted.base === '/' ? '/' : `${wanted.base}/`
    const enter = (entry: TreeEntry): true => {
      tar.add(entry, `${before}${entry.path}`)
      return true
    }
    found.inFolder((folder) => walkTree(folder, true, { enter }, context))
  }
  tar.finish()
}

function unpackPath(input: UnpackInput, context: JobContext): void {
  const place = inRoot(input.root, input, (root) => {
    const wanted = parseWanted(input.path)
    if (wanted.asserted !== '') new FoundPath(root, wanted)[Symbol.dispose]()
    const folder = locateFolder(root, wanted)
    if (folder === undefined) throw invalid('extraction point is not a directory')
    return folder
  })
  checkWritable(`/${textOfName(place)}`, input)
  using root = new ConfinedRoot(input.root)
  const { fd, framed } = input
  unpackTar(framed ? (take) => readBodyWaiting(fd, framed, take, context) : fd, {
    root,
    place,
    keepKinds: input.keepKinds,
    userXattrs: true,
    cached: true,
    context,
    ...(input.owner && { owner: input.owner }),
  })
}

/** The mount that is nearest above decides. */
function checkWritable(place: string, { mounts, readonlyRoot }: UnpackInput): void {
  const above = mounts
    .filter(({ destination }) => place === destination || place.startsWith(`${destination}/`))
    .toSorted((one, other) => other.destination.length - one.destination.length)
  const [nearest] = above
  if (nearest?.readonly) throw invalid('mounted volume is marked read-only')
  if (!nearest && readonlyRoot) throw invalid('container rootfs is marked read-only')
}
