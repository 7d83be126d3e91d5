import { componentsOfName, type RawName, type TarEntry, type TarSink } from '#archive'
import type { ConfinedRoot, Owner } from '#tree'
import { guessCopies } from './copy-guess.ts'
import { type ForeseenLayer, LayerForecast } from './foreseen-layer.ts'

/** What is to be foreseen of a build. */
export interface ForesightInput {
  /** The place of its Dockerfile in the context, or its text. */
  readonly dockerfile: { readonly path: RawName } | { readonly text: string }
  readonly target?: string
}

/** More than these before the Dockerfile are not gone back to. */
const MOST_BEFORE = 4096
/** Bytes. */
const MOST_TEXT = 1 << 20
/** Each one hashes what it copies. */
const MOST_LAYERS = 4

interface Before {
  readonly path: RawName
  readonly entry: TarEntry
}

/**
 * Hashes layers while their files come: as soon as the Dockerfile has passed, what its COPYs will make of this context is
 * known. `root` is where the context is unpacked; what came before the Dockerfile is read again from there.
 */
export class Foresight implements TarSink {
  readonly #input: ForesightInput
  readonly #root: ConfinedRoot
  readonly #owner: Owner
  readonly #before: Before[] = []
  #text: Buffer[] | undefined
  #forecasts: readonly LayerForecast[] | undefined

  constructor(input: ForesightInput, root: ConfinedRoot, owner: Owner) {
    this.#input = input
    this.#root = root
    this.#owner = owner
    if ('text' in input.dockerfile) this.#begin(input.dockerfile.text)
  }

  entry(entry: TarEntry): void {
    if (this.#text !== undefined) this.#begin(Buffer.concat(this.#text).toString('utf8'))
    const path = componentsOfName(entry.path).join('/')
    if (this.#forecasts === undefined) this.#keep({ path, entry })
    else for (const forecast of this.#forecasts) forecast.entry(path, entry)
  }

  body(chunk: Buffer): void {
    if (this.#text !== undefined) this.#text.push(Buffer.from(chunk))
    else for (const forecast of this.#forecasts ?? []) forecast.body(chunk)
  }

  /** The Dockerfile's own bytes are in its file only after this. */
  end(): void {}

  /** To be called when all is unpacked. */
  finish(): readonly ForeseenLayer[] {
    if (this.#text !== undefined) this.#begin(Buffer.concat(this.#text).toString('utf8'))
    return (this.#forecasts ?? []).flatMap((forecast) => forecast.finish(this.#root) ?? [])
  }

  #keep(before: Before): void {
    const { dockerfile } = this.#input
    if (this.#before.length >= MOST_BEFORE) {
      this.#forecasts = []
      return
    }
    this.#before.push(before)
    const { kind, size } = before.entry
    if ('path' in dockerfile && before.path === dockerfile.path && kind === 'file' && size <= MOST_TEXT) this.#text = []
  }

  #begin(text: string): void {
    this.#text = undefined
    const copies = guessCopies(text, this.#input.target).slice(0, MOST_LAYERS)
    this.#forecasts = copies.map((copy) => new LayerForecast(copy, this.#owner))
    for (const { path, entry } of this.#before)
      for (const forecast of this.#forecasts) forecast.catchUp(path, entry, this.#root)
    this.#before.length = 0
  }
}
