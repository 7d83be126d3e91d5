import { mkdirSync, writeFileSync } from 'node:fs'
import { errnoOf, type FramedBody, isKind } from '#base'
import { nameOfText, placeOfName, type RawName, StretchTap, type TarEntry, type TarSink } from '#archive'
import { type JobContext, readBodyWaiting } from '#kernel'
import { ConfinedRoot, unpackTar } from '#tree'
import { Foresight, type ForesightInput } from './foresight.ts'
import type { ForeseenLayer } from './foreseen-layer.ts'
import { type IndexedStretches, KnownFiles, ownIds } from './known-files.ts'
import type { KnownInput } from './known-layer.ts'
import { SharedWriter } from './second-writer.ts'
import { IndexFile, keepTarIndex, TarIndexer, type TarNode } from './tar-index.ts'

/** A context on its way: a plain tar that comes out of a pipe, or of a client's connection. */
export interface ReceiveInput {
  /** The caller closes it. */
  readonly fd: number
  /** What comes from it is framed so; without, it is the tar itself, to its end. */
  readonly framed?: FramedBody
  /** For the files; made here. */
  readonly folder: string
  /** Where its index is kept: the builder's own. */
  readonly index: string
  /** Where it is kept by what its tar is known when it comes again. */
  readonly stretches: string
  /** Paths of files whose texts are wanted. */
  readonly texts: readonly string[]
  /** Of a text. Bytes. */
  readonly limit: number
  /** Without, nothing is foreseen. */
  readonly foresee?: ForesightInput
  readonly known?: KnownInput
}

export interface ReceiveOutput {
  /** Entries in the index; absent where the tar is one of which none can be made. */
  readonly indexed?: number
  /** Of the index. */
  readonly digest?: string
  /** Each file has one name: what is copied whole may be moved. */
  readonly isMovable: boolean
  /** Some files are files of the known layer. */
  readonly isShared: boolean
  /** Files that are as they were are not there yet: `builder.complete` makes them. */
  readonly isDeferred: boolean
  /** By the path that was asked for; absent where no such file is. */
  readonly texts: Readonly<Record<string, string>>
  /** Layers that it was worth hashing on the way. */
  readonly foreseen: readonly ForeseenLayer[]
}

/**
 * Unpacks the tar as COPY shows its files (the daemon's own, with their modes and times), notes what is in it and hashes each
 * file as it passes. Malformed archives end in `corrupt`.
 */
export function receiveContext(input: ReceiveInput, context: JobContext): ReceiveOutput {
  mkdirSync(input.folder, { recursive: true, mode: 0o700 })
  using file = new IndexFile(input.index)
  const indexer = new TarIndexer(file)
  using root = new ConfinedRoot(input.folder)
  const owner = ownIds()
  const { fd, framed, foresee } = input
  const wanted = new Set(input.texts.map(nameOfText))
  const writer = new SharedWriter(root, context)
  const handOver = (path: RawName, node: TarNode): boolean => writer.put(path, node)
  using known = input.known && openKnown(input.known, { root, handOver, owner, indexer, texts: wanted })
  const settle = (): void => writer.settle()
  const foresight =
    foresee &&
    new Foresight(foresee, {
      root,
      owner,
      settle,
      nodeOf: (place) => indexer.index.get(place),
      isAsleep: () => known?.isSame === true,
    })
  const tap = new StretchTap(known?.stretches, (stretch, bytes) => {
    const entries = known?.entriesOf(stretch) ?? []
    const accepted = known?.accept(entries)
    if (accepted) foresight?.stretch(entries, bytes, stretch.bodies)
    return accepted
  })
  // docker's client may leave the archive's end away: what comes after it is read all the same, so that it can be sent
  unpackTar(framed ? (take) => readBodyWaiting(fd, framed, take, context) : fd, {
    root,
    writer,
    place: '',
    owner,
    watch: watchOf({ indexer, known, foresight, tap, wanted, writer }),
    ...(known && { stand: known }),
    tap,
    context,
  })
  known?.finish()
  const { isPlain, hasLinks, index } = indexer
  const digest = isPlain ? noteContext(input, { indexer, file, tap }) : undefined
  const texts = input.texts.map((path) => [path, root.readText(nameOfText(path), input.limit)] as const)
  const isMovable = isPlain && !hasLinks
  return {
    ...(digest !== undefined && { indexed: index.size, digest }),
    isMovable,
    ...sharingOf(known),
    texts: textsOf(texts),
    foreseen: isMovable ? (foresight?.finish() ?? []) : [],
  }
}

/** Gives the digest of the index. */
function noteContext(
  input: ReceiveInput,
  { indexer, file, tap }: { readonly indexer: TarIndexer; readonly file: IndexFile; readonly tap: StretchTap },
): string {
  const { index, hasRepeats } = indexer
  const digest = file.finish(hasRepeats ? index : undefined)
  keepTarIndex(digest, index)
  const { key, stretches } = tap.notes
  // the index does not say what stood in the stretch of what was replaced
  const notes: IndexedStretches = { index: digest, key, stretches: hasRepeats ? [] : stretches }
  writeFileSync(input.stretches, JSON.stringify(notes), { mode: 0o600 })
  return digest
}

function sharingOf(known: KnownFiles | undefined): Pick<ReceiveOutput, 'isShared' | 'isDeferred'> {
  const isShared = known?.isUsed === true
  return { isShared, isDeferred: isShared && known.isSame }
}

/** Undefined where it is not noted any more what the layer has. */
function openKnown(input: KnownInput, parts: ConstructorParameters<typeof KnownFiles>[1]): KnownFiles | undefined {
  try {
    return new KnownFiles(input, parts)
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT' || isKind(error, 'corrupt')) return undefined
    throw error
  }
}

interface Watched {
  readonly indexer: TarIndexer
  readonly known: KnownFiles | undefined
  readonly foresight: Foresight | undefined
  readonly tap: StretchTap
  /** Read each time. */
  readonly wanted: ReadonlySet<RawName>
  readonly writer: SharedWriter
}

function watchOf({ indexer, known, foresight, tap, wanted, writer }: Watched): TarSink {
  return {
    entry(entry) {
      const before = indexer.index.size
      indexer.entry(entry)
      known?.look(entry)
      if (known?.isSame !== true) writer.expect(entry.size)
      // of what is not plain nothing is foreseen
      if (indexer.isPlain) foresight?.entry(entry)
      const path = placeOfName(entry.path)
      const isPlain = indexer.isPlain && isRepeatable(entry) && !wanted.has(path)
      const place = isPlain && indexer.index.size === before + 1 ? before : undefined
      tap.entry({ path, size: entry.size, place })
    },
    body(chunk) {
      indexer.body(chunk)
      if (indexer.isPlain) foresight?.body(chunk)
    },
    end() {
      indexer.end()
    },
  }
}

/** It is made of what the index says. */
function isRepeatable({ kind, sparse, xattrs }: TarEntry): boolean {
  const isKnown = kind === 'file' || kind === 'directory' || kind === 'symlink'
  return isKnown && sparse === undefined && !xattrs.has('security.capability')
}

function textsOf(entries: readonly (readonly [string, string | undefined])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(entries.flatMap(([path, text]) => (text === undefined ? [] : [[path, text] as const])))
}
