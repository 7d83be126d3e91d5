import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { TarReader } from '#archive'
import { cancelled, corrupt, isKind } from '#base'
import { type Growth, readGrown } from '#store/content'
import type { JobContext } from '#kernel'
import { findChanges } from './changes.ts'
import { compareStacks, type Stacks } from './compare.ts'
import { changesRoot, type LayerTree, writeLayer } from './diff.ts'
import { layerFailure } from './failure.ts'
import { listOrigins } from './origins.ts'
import { type PlaceInput, placeTree } from './place.ts'
import { type OpenEnds, Unpacker } from './unpack.ts'
import type { PathChange } from './types.ts'

/** A descriptor of this process (a pipe's end: the caller closes it), or a file to be opened. */
export type Stream = { readonly fd: number } | { readonly path: string }

/** As `Stream`; or a file that is still being written, read as it grows. */
export type TarStream = Stream | { readonly fd: number; readonly growth: Growth }

export interface ApplyInput {
  /** The uncompressed tar. */
  readonly tar: TarStream
  readonly upper: string
  /** Folders of the stack below, topmost first; without them, what they decide is left open. */
  readonly lowers?: readonly string[]
  /** `corrupt` where the tar's digest is another one. */
  readonly diffId: string
}

export interface PackInput extends LayerTree {
  readonly to: Stream
  readonly diffId: string
}

export interface DiffInput extends LayerTree {
  readonly claim?: TarFacts | undefined
}

export interface ChangesInput {
  readonly upper: string
  readonly lowers: readonly string[]
}

export interface CompareInput extends Stacks {
  readonly to: Stream
}

export interface OriginsInput {
  /** The layers' folders, bottom first. */
  readonly roots: readonly string[]
  readonly paths: readonly string[]
  readonly to: Stream
}

/** A tar's digest (as text), its bytes, and those of the files in it. */
export interface TarFacts {
  readonly diffId: string
  readonly size: number
  readonly content: number
}

export interface ApplyFacts extends TarFacts {
  readonly ends: OpenEnds
}

/** Synchronous work of this room, run in a worker. */
export const layerJobs = {
  /** Unpacks a tar into an upper folder; digest and unpacking in one pass. What is there after a failure is to be removed. */
  'layer.apply': (input: ApplyInput, context: JobContext): ApplyFacts => applyTar(input, context),
  /** Finishes what was unpacked without lowers; false where it must be unpacked anew. */
  'layer.place': (input: PlaceInput): boolean => guarded(`cannot place ${input.upper}`, () => placeTree(input)),
  /** Digest and size of the tar that a tree would be packed to. */
  'layer.diff': ({ claim, ...tree }: DiffInput, context: JobContext): TarFacts =>
    claim && !changesRoot(tree) ? claim : hashTree(tree, context, () => undefined),
  /** The tar of a tree; `corrupt` at its end where the digest is not the one recorded. */
  'layer.pack': (input: PackInput, context: JobContext): TarFacts => packTree(input, context),
  'layer.changes': ({ upper, lowers }: ChangesInput, context: JobContext): readonly PathChange[] =>
    guarded(`cannot compare ${upper}`, () => findChanges(upper, lowers, context)),
  /** Writes each `TreeDifference` as a line of JSON. */
  'layer.compare': ({ to, ...stacks }: CompareInput, context: JobContext): void =>
    guarded('cannot compare images', () => writeLines(to, (put) => compareStacks(stacks, put, context))),
  /** Writes each `PathOrigin` as a line of JSON. */
  'layer.origins': ({ to, roots, paths }: OriginsInput, context: JobContext): void =>
    guarded('cannot look through layers', () =>
      writeLines(to, (put) => listOrigins(roots, put, { paths, cancelled: () => context.cancelled() })),
    ),
}

const CHUNK = 1 << 18

function applyTar({ tar, upper, lowers, diffId }: ApplyInput, context: JobContext): ApplyFacts {
  const what = `cannot apply layer ${diffId}`
  return guarded(what, () => {
    const fd = 'fd' in tar ? tar.fd : openSync(tar.path, 'r')
    try {
      using unpacker = new Unpacker(upper, lowers)
      const reader = new TarReader(unpacker)
      let isRefused = false
      const unlessRefused = (work: () => void): void => {
        if (isRefused) return
        try {
          work()
        } catch (error) {
          if (!isKind(error, 'invalid') || !unpacker.isGuess) throw error
          isRefused = true
        }
      }
      const tarFacts = readThrough({ ...tar, fd }, context, (chunk) => unlessRefused(() => reader.push(chunk)))
      unlessRefused(() => {
        reader.finish()
        unpacker.finish()
      })
      if (tarFacts.diffId !== diffId) throw corrupt(`${what}: its tar is ${tarFacts.diffId}`)
      return { ...tarFacts, content: unpacker.content, ends: { ...unpacker.ends, isRefused } }
    } finally {
      if ('path' in tar) closeSync(fd)
    }
  })
}

interface OpenTar {
  readonly fd: number
  readonly growth?: Growth
}

function readThrough(
  { fd, growth }: OpenTar,
  context: JobContext,
  take: (chunk: Buffer) => void,
): Omit<TarFacts, 'content'> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(CHUNK)
  let size = 0
  for (;;) {
    if (context.cancelled()) throw cancelled('apply of a layer')
    const count = growth ? readGrown({ fd, growth }, buffer, size, context) : readSync(fd, buffer, 0, CHUNK, null)
    if (count === 0) break
    const chunk = buffer.subarray(0, count)
    hash.update(chunk)
    take(chunk)
    size += count
  }
  return { diffId: `sha256:${hash.digest('hex')}`, size }
}

function packTree({ to, diffId, ...tree }: PackInput, context: JobContext): TarFacts {
  const fd = 'fd' in to ? to.fd : openSync(to.path, 'w', 0o600)
  try {
    const facts = hashTree(tree, context, (chunk) => writeAll(fd, chunk))
    if (facts.diffId !== diffId) throw corrupt(`cannot pack layer ${diffId}: its tree gives ${facts.diffId} now`)
    return facts
  } finally {
    if ('path' in to) closeSync(fd)
  }
}

function hashTree(tree: LayerTree, context: JobContext, put: (chunk: Buffer) => void): TarFacts {
  return guarded(`cannot make a layer of ${tree.upper}`, () => {
    const hash = createHash('sha256')
    let size = 0
    const take = (chunk: Buffer): void => {
      hash.update(chunk)
      put(chunk)
      size += chunk.length
    }
    const content = writeLayer(tree, take, context)
    return { content, diffId: `sha256:${hash.digest('hex')}`, size }
  })
}

const LINES = 1 << 16

function writeLines(to: Stream, list: (put: (value: object) => void) => void): void {
  const fd = 'fd' in to ? to.fd : openSync(to.path, 'w', 0o600)
  try {
    let text = ''
    list((value) => {
      text += `${JSON.stringify(value)}\n`
      if (text.length < LINES) return
      writeAll(fd, Buffer.from(text))
      text = ''
    })
    writeAll(fd, Buffer.from(text))
  } finally {
    if ('path' in to) closeSync(fd)
  }
}

function writeAll(fd: number, chunk: Buffer): void {
  for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done)
}

function guarded<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw layerFailure(what, error)
  }
}
