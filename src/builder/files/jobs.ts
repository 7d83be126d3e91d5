import { closeSync, constants, fstatSync, readdirSync, rmSync } from 'node:fs'
import { posix } from 'node:path'
import { invalid } from '#base'
import { nameOfText, pathOfName } from '#archive'
import { parseIgnore } from '#dockerfile'
import type { IgnoreRules, InlineFile } from '#dockerfile'
import { isErrno, type JobContext, type JobTable, openInRoot, openRoot, unmountSync } from '#kernel'
import { ConfinedRoot, unpackTar } from '#tree'
import { beginCopy, checkDestination, copySelections, folderPlace, writeInline } from './copy-tree.ts'
import type { Copy, Landing } from './copy-tree.ts'
import { FileDigests } from './file-digests.ts'
import type { ForeseenLayer } from './foreseen-layer.ts'
import { foretellCopy, type ForetoldCopy, MadeHash } from './foretold-copy.ts'
import { completeContext } from './known-files.ts'
import { isSure, KnownWalks, seenBy, walksBeside } from './known-walks.ts'
import { findUser } from './owner.ts'
import { isAsForeseen, landOnNew, moveWhole, takesTime } from './landing.ts'
import { EarlierLayer } from './layer-files.ts'
import { receiveContext } from './receive.ts'
import { ReceivedTree } from './received-tree.ts'
import { writeContext } from './second-writer.ts'
import { selectSources, standing, withoutExcluded } from './select.ts'
import type { Selection } from './select.ts'
import { FolderTree } from './source-tree.ts'
import type { SourceTree } from './source-tree.ts'
import { hashSelections } from './tree-hash.ts'
import type { ReadTree } from './tree-hash.ts'

/** Files of a received context: moved where nobody else reads them, or linked, once each. */
export type ContextUse = 'move' | 'link' | 'copy'

/** What COPY and ADD read. */
export interface SourceInput {
  /** A folder, or the mounted root of another stage or image. */
  readonly folder: string
  /** Index of a context that was received into the folder. */
  readonly index?: string
  /** Of the index. */
  readonly digest?: string
  readonly foreseen?: readonly ForeseenLayer[]
  /** What may be done with its files: without, they are copied. */
  readonly use?: ContextUse
  readonly sources: readonly string[]
  /** Text of .dockerignore, and its name for errors. */
  readonly ignore?: { readonly text: string; readonly file: string }
  /** File in which digests are remembered; absent where nothing stays. */
  readonly digests?: string
  readonly keepOwners: boolean
  /** Patterns of `--exclude`. */
  readonly excludes?: readonly string[]
  /** Raw places of archives: they are unpacked, not copied. */
  readonly skip?: readonly string[]
  /** What `builder.hash` gives for it, where that is known. */
  readonly hash?: string
}

export interface CopyInput {
  /** Each with its own folder. */
  readonly sources: readonly SourceInput[]
  readonly inline: readonly InlineFile[]
  /** The mounted root to write into. */
  readonly root: string
  /** The writable folder under that root, which may be unmounted for writing to it. */
  readonly upper: string
  readonly destination: string
  readonly chown?: string
  readonly chmod?: string
  /** What the same copy of other files made before. */
  readonly earlier?: { readonly upper: string; readonly files: string }
  /** Where it is noted what the copy made. */
  readonly files?: string
  /** What the folder that the copy makes gets as its time; with it, what was made is named. Nanoseconds since the epoch. */
  readonly madeAt?: bigint
  /** Plain tars to unpack into the destination, in place of sources. */
  readonly archives: readonly string[]
}

/** What went in, one of these for each source. */
export interface CopyOutput {
  /** The hash of what went in, the same that `builder.hash` gives; empty where no source was read. */
  readonly hash: string
  readonly shape: 'file' | 'dir' | 'multi'
  /** What the copy has made, with nothing else in its layer, where that was foreseen. */
  readonly layer?: ForeseenLayer
  /** What the copy has made, with nothing else in its layer, where that can be said. */
  readonly made?: string
}

/** A copy whose layer is wanted while another thread carries it out. */
export interface ForetellInput {
  readonly source: SourceInput
  /** As of `CopyInput`. */
  readonly destination: string
  readonly earlier: { readonly upper: string; readonly files: string }
  readonly madeAt: bigint
}

export interface Head {
  readonly place: string
  readonly head: Uint8Array
}

/** The single files among the sources of ADD, with their first bytes. */
export interface HeadOutput {
  /** `place`: a raw name below the source folder. */
  readonly heads: readonly Head[]
}

/** The synchronous file work of builds, for the worker threads. */
export const builderJobs = {
  'builder.hash': hashJob,
  'builder.copy': copyJob,
  'builder.foretell': foretellJob,
  'builder.folder': folderJob,
  'builder.receive': receiveContext,
  'builder.write': writeContext,
  'builder.complete': completeContext,
  'builder.heads': headsJob,
  'builder.open': openJob,
  'builder.texts': textsJob,
  /** Takes away what was received. */
  'builder.remove': (input: { readonly folder: string }): void =>
    rmSync(input.folder, { recursive: true, force: true }),
} satisfies JobTable

export interface TextsInput {
  readonly folder: string
  readonly paths: readonly string[]
  /** A longer one is refused. Bytes. */
  readonly limit: number
}

/** By their paths, without those that are not there. */
function textsJob({ folder, paths, limit }: TextsInput): Readonly<Record<string, string>> {
  using root = new ConfinedRoot(folder)
  return Object.fromEntries(
    paths.flatMap((path) => {
      const text = root.readText(nameOfText(path), limit)
      return text === undefined ? [] : [[path, text]]
    }),
  )
}

function withSource<T>(
  input: SourceInput,
  context: JobContext,
  use: (tree: ReadTree, selections: readonly Selection[]) => T,
  isRemembered = true,
): T {
  const ignore: IgnoreRules | undefined =
    input.ignore === undefined ? undefined : parseIgnore(input.ignore.text, input.ignore.file)
  const read = (source: SourceTree): T => {
    const selections = withoutExcluded(selectSources(source, input.sources, ignore), input.excludes ?? [])
    return use({ source, owners: input.keepOwners, context, use: input.use ?? 'copy' }, selections)
  }
  if (input.index !== undefined) {
    using received = new ReceivedTree(input.folder, input.index, input.digest)
    return read(received)
  }
  using root = new ConfinedRoot(input.folder)
  const digests = new FileDigests(input.digests)
  const outcome = read(new FolderTree(root, digests, clock))
  if (isRemembered) digests.save()
  return outcome
}

/** `builder.hash` of a received context, at once: no file is read, for all were hashed as they came. */
export function hashReceived(input: SourceInput): CopyOutput {
  return withSource(input, { cancelled: () => false, report: () => undefined }, hashSource)
}

function hashSource(tree: ReadTree, selections: readonly Selection[]): CopyOutput {
  return { hash: hashSelections(tree, selections), shape: shapeOf(selections) }
}

/** What the same walk has led to before; else that is found out, and kept where it is sure to be so still. */
function hashJob(input: SourceInput, context: JobContext): CopyOutput {
  if (input.digests === undefined) return withSource(input, context, hashSource)
  const walks = new KnownWalks<CopyOutput>(walksBeside(input.digests))
  const { sources, ignore, excludes, keepOwners } = input
  const question = JSON.stringify([sources, ignore?.text, excludes, keepOwners])
  const now = clock()
  return withSource(input, context, (tree, selections) => {
    const seen = seenBy(selections)
    const known = walks.find(question, seen)
    if (known !== undefined) return known
    const outcome = hashSource(tree, selections)
    if (isSure(tree.source, selections, now)) walks.remember(question, seen, outcome)
    return outcome
  })
}

/** Nanoseconds since the epoch. */
function clock(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}

function shapeOf(selections: readonly Selection[]): CopyOutput['shape'] {
  if (selections.length !== 1) return 'multi'
  return selections[0]?.entries[0]?.kind === 'folder' ? 'dir' : 'file'
}

function copyJob(input: CopyInput, context: JobContext): readonly CopyOutput[] {
  using stack = new DisposableStack()
  const root = stack.use(new ConfinedRoot(input.root))
  const leave = (): ConfinedRoot => {
    root[Symbol.dispose]()
    unmountSync(input.root)
    return stack.use(new ConfinedRoot(input.upper))
  }
  const copy = beginCopy({
    root,
    destination: input.destination,
    ...(input.chown === undefined ? {} : { chown: input.chown }),
    ...(input.chmod === undefined ? {} : { chmod: input.chmod }),
    keepOwners: input.sources.some((source) => source.keepOwners),
  })
  const { sources, inline, archives } = input
  const count = inline.length + sources.reduce((sum, source) => sum + source.sources.length, 0)
  if (inline.length > 0) writeInline(copy, inline, count)
  for (const archive of archives) unpackArchive(copy, archive, context)
  const isAlone = sources.length === 1 && inline.length === 0 && archives.length === 0
  return sources.map((source) =>
    withSource(source, context, (tree, selections) => {
      const kept = selections.filter((selection) => source.skip?.includes(selection.place) !== true)
      checkDestination(copy.target, count + Math.max(0, selections.length - source.sources.length) > 1)
      const isNew = isAlone && landOnNew(copy, kept, leave)
      const isMoved = isNew && source.use === 'move' && moveWhole(copy, tree, kept)
      if (isNew && input.earlier) copy.earlier = stack.use(new EarlierLayer(input.earlier))
      if (copy.landing !== undefined && input.madeAt !== undefined)
        copy.made = new MadeHash(copy.landing.place, copy.landing.isFolder)
      const hash = isMoved ? (source.hash ?? hashSelections(tree, kept)) : copySelections(copy, tree, kept)
      if (isNew && input.files !== undefined) copy.files.save(input.files)
      return { hash, shape: shapeOf(selections), ...layerOf(copy, input, kept) }
    }),
  )
}

/** What can be said of the layer without reading it: what was foreseen, or what somebody tells beside the copy. */
function layerOf(
  copy: Copy,
  { madeAt, upper, sources }: CopyInput,
  selections: readonly Selection[],
): Pick<CopyOutput, 'layer' | 'made'> {
  const { landing } = copy
  if (landing === undefined) return {}
  const layer = sources[0]?.foreseen?.find((foreseen) => isAsForeseen(copy, foreseen, selections))
  const made = madeAt === undefined ? undefined : madeBy(copy, landing, madeAt)
  const isOnly = (layer !== undefined || made !== undefined) && readdirSync(upper).length === 1
  return { ...(isOnly && layer && { layer }), ...(isOnly && made !== undefined && { made }) }
}

/** Undefined where there is more, or less, than what the hash of a copy says. */
function madeBy({ made }: Copy, landing: Landing, madeAt: bigint): string | undefined {
  // a folder above it would be in the layer too
  if (made === undefined || landing.place.includes('/')) return undefined
  if (landing.isFolder && !takesTime(landing, madeAt)) return undefined
  return made.isKept(landing) ? made.digest() : undefined
}

function foretellJob({ source, ...input }: ForetellInput, context: JobContext): ForetoldCopy | undefined {
  using earlier = new EarlierLayer(input.earlier)
  if (!earlier.isNoted) return undefined
  const destination = nameOfText(posix.resolve('/', input.destination).slice(1))
  const facts = { destination, isFolder: input.destination.endsWith('/'), earlier, madeAt: input.madeAt }
  return withSource(source, context, (tree, selections) => foretellCopy({ ...facts, tree }, selections), false)
}

function unpackArchive(copy: Copy, archive: string, context: JobContext): void {
  const place = folderPlace(copy)
  unpackTar(archive, {
    root: copy.target.root,
    place,
    context,
    ...(copy.owner === undefined ? {} : { owner: copy.owner }),
  })
}

/** Makes a WORKDIR; false where it was there. */
function folderJob(input: { readonly root: string; readonly path: string; readonly user: string }): boolean {
  using root = new ConfinedRoot(input.root)
  const place = nameOfText(input.path)
  const there = root.stat(place)
  if (there?.isDirectory()) return false
  if (there !== undefined) throw invalid(`cannot mkdir: ${input.path} is not a directory`)
  return root.makeFolders(place, findUser(root, input.user))
}

export interface OpenInput {
  /** Not trusted. */
  readonly folder: string
  /** A raw name below it. */
  readonly place: string
}

/** A descriptor of this process for a file, links followed inside of the folder; undefined where it is gone, or is no file any more. */
function openJob({ folder, place }: OpenInput): number | undefined {
  const root = openRoot(folder)
  try {
    const fd = openInRoot(root, pathOfName(place), constants.O_RDONLY | constants.O_NONBLOCK, { follow: true })
    let isFile = false
    try {
      isFile = fstatSync(fd).isFile()
    } finally {
      if (!isFile) closeSync(fd)
    }
    return isFile ? fd : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  } finally {
    closeSync(root)
  }
}

const HEAD = 512

/** First bytes of those sources of ADD that are single files: archives are told by them. */
function headsJob(input: SourceInput, context: JobContext): HeadOutput {
  return withSource(input, context, ({ source }, selections) => ({
    heads: selections.flatMap((selection) => {
      const [top, ...below] = selection.entries
      if (top?.kind !== 'file' || below.length > 0) return []
      return [{ place: selection.place, head: source.head(...standing(selection, top), HEAD) }]
    }),
  }))
}
