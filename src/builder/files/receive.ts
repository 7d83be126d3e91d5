import { closeSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { internal, invalid } from '#base'
import { nameOfText, TarReader } from '#archive'
import type { TarSink } from '#archive'
import type { JobContext } from '#kernel'
import { ConfinedRoot, unpackTar } from '#tree'
import { kindOf } from './source-tree.ts'
import { TarIndexer } from './tar-index.ts'
import { TarTree } from './tar-tree.ts'

/** A context on its way: a plain tar that comes out of a pipe. */
export interface ReceiveInput {
  /** A descriptor; the caller closes it. */
  readonly pipe: number
  /** Where the tar and its index are kept: the builder's own. */
  readonly file: string
  readonly index: string
  /** An empty folder, for what is unpacked after all. */
  readonly folder: string
  /** Paths of files whose texts are wanted. */
  readonly texts: readonly string[]
  /** Of a text. Bytes. */
  readonly limit: number
}

export interface ReceiveOutput {
  /** False where the tar had to be unpacked. */
  readonly isIndexed: boolean
  /** By the path that was asked for; absent where no such file is. */
  readonly texts: Readonly<Record<string, string>>
}

const CHUNK = 1 << 20

/** Keeps the tar, notes what is in it and hashes each file as it passes. Malformed archives end in `corrupt`. */
export function receiveContext(input: ReceiveInput, context: JobContext): ReceiveOutput {
  const indexer = new TarIndexer()
  keepTar(input, indexer)
  if (!indexer.isPlain) {
    using root = new ConfinedRoot(input.folder)
    unpackTar(input.file, { root, place: '', context })
    rmSync(input.file)
    const entries = input.texts.map((path) => [path, root.readText(nameOfText(path), input.limit)] as const)
    return { isIndexed: false, texts: textsOf(entries) }
  }
  writeFileSync(input.index, JSON.stringify([...indexer.index]))
  using tree = new TarTree(input)
  return {
    isIndexed: true,
    texts: textsOf(input.texts.map((path) => [path, textIn(tree, path, input.limit)] as const)),
  }
}

/** Docker's client may leave the archive's end away: what comes after it is read all the same, so that it can be sent. */
function keepTar({ pipe, file }: ReceiveInput, indexer: TarIndexer): void {
  const buffer = Buffer.allocUnsafe(CHUNK)
  const to = openSync(file, 'wx', 0o600)
  let pushed = 0
  const sink: TarSink = {
    entry: (entry) => indexer.entry(entry),
    body(chunk, offset) {
      const at = chunk.byteOffset - buffer.byteOffset
      if (chunk.buffer !== buffer.buffer) throw internal('cannot index a tar: its reader copied a body')
      indexer.take(chunk, offset, pushed + at)
    },
    end: () => indexer.end(),
  }
  const reader = new TarReader(sink)
  try {
    for (let read = readSync(pipe, buffer); read > 0; read = readSync(pipe, buffer)) {
      const bytes = buffer.subarray(0, read)
      for (let at = 0; at < read;) at += writeSync(to, bytes, at)
      reader.push(bytes)
      pushed += read
    }
    reader.finish()
  } finally {
    closeSync(to)
  }
}

function textIn(tree: TarTree, path: string, limit: number): string | undefined {
  const place = tree.resolve(nameOfText(path))
  const stat = place === undefined ? undefined : tree.stat(place)
  if (place === undefined || stat === undefined || kindOf(stat) !== 'file') return undefined
  if (tree.range(place).size > limit) throw invalid(`cannot read ${path}: it is larger than ${limit} bytes`)
  return tree.head('', place, limit).toString('utf8')
}

function textsOf(entries: readonly (readonly [string, string | undefined])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(entries.flatMap(([path, text]) => (text === undefined ? [] : [[path, text] as const])))
}
