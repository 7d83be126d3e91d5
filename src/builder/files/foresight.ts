import { placeOfName, type RawName, type TarEntry } from '#archive'
import type { ConfinedRoot, Owner } from '#tree'
import { guessCopies } from './copy-guess.ts'
import { type ForeseenLayer, LayerForecast } from './foreseen-layer.ts'
import type { NamedNode, TarNode } from './tar-index.ts'
import { ComingHash } from './tree-hash.ts'

/** What is to be foreseen of a build. */
export interface ForesightInput {
  /** The place of its Dockerfile in the context, or its text. */
  readonly dockerfile: { readonly path: RawName } | { readonly text: string }
  readonly target?: string
}

/** More than these before the Dockerfile are not gone back to. */
const MOST_BEFORE = 1 << 18
/** Bytes. */
const MOST_TEXT = 1 << 20
/** Each one hashes what it copies. */
const MOST_LAYERS = 4

interface Before {
  readonly path: RawName
  readonly entry: TarEntry
}

interface Parts {
  /** Where the context is unpacked. */
  readonly root: ConfinedRoot
  readonly owner: Owner
  /** As long as it says so, nothing is hashed: it may not be needed. */
  readonly isAsleep: () => boolean
  /** Returns once all that came before is there. */
  readonly settle: () => void
  /** What has come, at a place in the context. */
  readonly nodeOf: (place: RawName) => TarNode | undefined
}

/**
 * Hashes layers while their files come: as soon as the Dockerfile has passed, what its COPYs will make of this context is
 * known. What came before is read again from where it was unpacked.
 */
export class Foresight {
  readonly #input: ForesightInput
  readonly #parts: Parts
  readonly #before: Before[] = []
  /** Of the Dockerfile. */
  #text: Buffer[] | undefined
  #isReading = false
  #forecasts: readonly LayerForecast[] | undefined

  constructor(input: ForesightInput, parts: Parts) {
    this.#input = input
    this.#parts = parts
    if ('text' in input.dockerfile) this.#text = [Buffer.from(input.dockerfile.text)]
  }

  entry(entry: TarEntry): void {
    // the bytes of the one before are in its file only now
    this.#isReading = false
    this.#beginIfKnown()
    const path = placeOfName(entry.path)
    if (this.#forecasts === undefined) this.#keep({ path, entry })
    else for (const forecast of this.#forecasts) forecast.entry(path, entry)
  }

  /** Entries that are known, with the bytes of all of them; `bodies`: where each file's begin. */
  stretch(entries: readonly NamedNode[], bytes: Buffer, bodies: readonly number[]): void {
    for (const [at, named] of entries.entries()) {
      const entry = entryOf(named)
      this.entry(entry)
      const body = bodies[at] ?? 0
      if (entry.size > 0) this.body(bytes.subarray(body, body + entry.size))
    }
  }

  body(chunk: Uint8Array): void {
    if (this.#isReading) this.#text?.push(Buffer.from(chunk))
    else for (const forecast of this.#forecasts ?? []) forecast.body(chunk)
  }

  /** To be called when all is unpacked. */
  finish(): readonly ForeseenLayer[] {
    this.#beginIfKnown()
    return (this.#forecasts ?? []).flatMap((forecast) => forecast.finish(this.#parts.root) ?? [])
  }

  #keep(before: Before): void {
    const { dockerfile } = this.#input
    if (this.#before.length >= MOST_BEFORE) {
      this.#forecasts = []
      return
    }
    this.#before.push(before)
    const { kind, size } = before.entry
    if (!('path' in dockerfile) || before.path !== dockerfile.path || kind !== 'file' || size > MOST_TEXT) return
    this.#text = []
    this.#isReading = true
  }

  #beginIfKnown(): void {
    if (this.#forecasts !== undefined || this.#text === undefined || this.#parts.isAsleep()) return
    const { root, owner, nodeOf } = this.#parts
    const copies = guessCopies(Buffer.concat(this.#text).toString('utf8'), this.#input.target)
    this.#forecasts = copies
      .slice(0, MOST_LAYERS)
      .map((copy) => new LayerForecast(copy, owner, { read: new ComingHash(nodeOf) }))
    if (copies.length > 0) this.#parts.settle()
    for (const { path, entry } of this.#before)
      for (const forecast of this.#forecasts) forecast.catchUp(path, entry, root)
    this.#before.length = 0
  }
}

const NO_XATTRS: TarEntry['xattrs'] = new Map()
const NOBODY = { uid: 0, gid: 0, major: 0, minor: 0, xattrs: NO_XATTRS }

/** A file, folder or link, as far as it decides anything here. */
function entryOf([path, { mode, mtime, link, bytes }]: NamedNode): TarEntry {
  const known = { ...NOBODY, path, link: link ?? '', mode: mode & 0o7777, size: bytes?.size ?? 0, mtime: BigInt(mtime) }
  if (bytes !== undefined) return { ...known, kind: 'file' }
  return { ...known, kind: link === undefined ? 'directory' : 'symlink' }
}
