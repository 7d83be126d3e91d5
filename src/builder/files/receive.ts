import { mkdirSync, writeFileSync } from 'node:fs'
import type { FramedBody } from '#base'
import { nameOfText, type TarSink } from '#archive'
import { type JobContext, readBodyWaiting } from '#kernel'
import { ConfinedRoot, unpackTar } from '#tree'
import { Foresight, type ForesightInput } from './foresight.ts'
import type { ForeseenLayer } from './foreseen-layer.ts'
import { TarIndexer } from './tar-index.ts'

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
  /** Paths of files whose texts are wanted. */
  readonly texts: readonly string[]
  /** Of a text. Bytes. */
  readonly limit: number
  /** Without, nothing is foreseen. */
  readonly foresee?: ForesightInput
}

export interface ReceiveOutput {
  /** Entries in the index; absent where the tar is one of which none can be made. */
  readonly indexed?: number
  /** Each file has one name: what is copied whole may be moved. */
  readonly isMovable: boolean
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
  const indexer = new TarIndexer()
  mkdirSync(input.folder, { recursive: true, mode: 0o700 })
  using root = new ConfinedRoot(input.folder)
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
  const { fd, framed, foresee } = input
  const foresight = foresee && new Foresight(foresee, root, owner)
  // docker's client may leave the archive's end away: what comes after it is read all the same, so that it can be sent
  unpackTar(framed ? (take) => readBodyWaiting(fd, framed, take, context) : fd, {
    root,
    place: '',
    owner,
    watch: foresight === undefined ? indexer : both(indexer, foresight),
    context,
  })
  const { isPlain, hasLinks, index } = indexer
  if (isPlain) writeFileSync(input.index, JSON.stringify([...index]))
  const texts = input.texts.map((path) => [path, root.readText(nameOfText(path), input.limit)] as const)
  const foreseen = isPlain && !hasLinks ? (foresight?.finish() ?? []) : []
  const isMovable = isPlain && !hasLinks
  return { ...(isPlain && { indexed: index.size }), isMovable, texts: textsOf(texts), foreseen }
}

function both(first: TarSink, second: TarSink): TarSink {
  return {
    entry(entry) {
      first.entry(entry)
      second.entry(entry)
    },
    body(chunk, offset) {
      first.body(chunk, offset)
      second.body(chunk, offset)
    },
    end() {
      first.end()
      second.end()
    },
  }
}

function textsOf(entries: readonly (readonly [string, string | undefined])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(entries.flatMap(([path, text]) => (text === undefined ? [] : [[path, text] as const])))
}
