import { createCipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { paddedSize } from './field.ts'
import type { TarTap } from './reader.ts'
import type { RawName } from './types.ts'

/** Some entries of an archive, one behind the other. */
export interface TarStretch {
  /** The entry before them; absent at the beginning. */
  readonly after?: RawName | undefined
  readonly size: number
  /** Of its bytes. */
  readonly tag: string
  /** Where the first of its entries stands in the reader's list; the others follow. */
  readonly first: number
  /** For each entry, where in the stretch its file's bytes begin. */
  readonly bodies: readonly number[]
}

/** What is kept of an archive, to know it when it comes again. */
export interface StretchNotes {
  /** In hex. It must stay secret, and so must the tags. */
  readonly key: string
  readonly stretches: readonly TarStretch[]
}

/** An entry that is read. */
export interface StretchEntry {
  readonly path: RawName
  /** Of its file. */
  readonly size: number
  /** Where it stands in the reader's list; absent for one that is to be read each time. */
  readonly place?: number | undefined
}

/** What a reader has made of a stretch that it knew. */
export interface KnownEntries {
  /** Where they stand in its list now. */
  readonly first: number
  /** The path of the last. */
  readonly last: RawName
}

/** Bytes of a stretch at most: so many are read again where one of them differs. */
const MOST = 1 << 17
const NONCE = Buffer.alloc(12)

/**
 * Tells stretches of an archive that came before by a tag over their bytes, and notes those of this one. The tag is
 * GMAC (NIST SP 800-38D), which costs a fifth of a digest. Other bytes get the same one with a chance of 2^-113, whoever chose
 * them, as long as key and tags are known here alone.
 */
export class StretchTap implements TarTap {
  readonly #key: KeyObject
  readonly #known: Map<RawName | undefined, TarStretch>
  readonly #accept: (stretch: TarStretch, bytes: Buffer) => KnownEntries | undefined
  readonly #writer = new StretchWriter((bytes) => this.#tagOf(bytes))
  readonly #bytes = Buffer.allocUnsafe(MOST)
  #filled = 0
  #candidate: TarStretch | undefined

  /** `accept` is asked for each stretch that is as it was; without an answer it is read. */
  constructor(
    known: StretchNotes | undefined,
    accept: (stretch: TarStretch, bytes: Buffer) => KnownEntries | undefined,
  ) {
    this.#key = createSecretKey(known ? Buffer.from(known.key, 'hex') : randomBytes(16))
    this.#known = new Map(known?.stretches.map((stretch) => [stretch.after, stretch]))
    this.#accept = accept
  }

  get notes(): StretchNotes {
    return { key: this.#key.export().toString('hex'), stretches: this.#writer.finish() }
  }

  /** To be called for each entry that is read. */
  entry(entry: StretchEntry): void {
    this.#writer.entry(entry)
  }

  take(): number {
    const after = this.#writer.endEntry()
    const candidate = this.#known.get(after)
    if (candidate === undefined || candidate.size > MOST) return 0
    this.#known.delete(after)
    this.#candidate = candidate
    this.#filled = 0
    return candidate.size
  }

  taken(bytes: Buffer): void {
    this.#filled += bytes.copy(this.#bytes, this.#filled)
  }

  back(): Buffer | undefined {
    const candidate = this.#candidate
    const bytes = this.#bytes.subarray(0, this.#filled)
    if (candidate?.size !== bytes.length || this.#tagOf(bytes) !== candidate.tag) return bytes
    const entries = this.#accept(candidate, bytes)
    if (entries === undefined) return bytes
    this.#writer.add(candidate, entries)
    return undefined
  }

  read(chunk: Buffer, start: number, end: number): void {
    this.#writer.read(chunk, start, end)
  }

  #tagOf(bytes: Buffer): string {
    const cipher = createCipheriv('aes-128-gcm', this.#key, NONCE)
    cipher.setAAD(bytes)
    cipher.final()
    return cipher.getAuthTag().toString('hex')
  }
}

/** Gathers entries that are read to stretches. */
class StretchWriter {
  readonly #tagOf: (bytes: Buffer) => string
  readonly #stretches: TarStretch[] = []
  readonly #buffer = Buffer.allocUnsafe(MOST)
  #used = 0
  /** So many of them are of whole entries. */
  #whole = 0
  #isTooLong = false
  #entry: StretchEntry | undefined
  /** The path of the last whole entry, and of the one before the stretch. */
  #last: RawName | undefined
  #after: RawName | undefined
  #first = 0
  #bodies: number[] = []

  constructor(tagOf: (bytes: Buffer) => string) {
    this.#tagOf = tagOf
  }

  finish(): readonly TarStretch[] {
    this.endEntry()
    this.#close()
    return this.#stretches
  }

  entry(entry: StretchEntry): void {
    this.#entry = entry
    if (entry.size > MOST) this.#isTooLong = true
  }

  read(chunk: Buffer, start: number, end: number): void {
    const isFull = this.#used + end - start > MOST
    if (isFull && !this.#isTooLong) this.#close()
    if (this.#used + end - start > MOST) this.#isTooLong = true
    if (!this.#isTooLong) this.#used += chunk.copy(this.#buffer, this.#used, start, end)
  }

  /** Gives the path of the last entry. */
  endEntry(): RawName | undefined {
    const entry = this.#entry
    this.#entry = undefined
    if (entry === undefined) return this.#last
    const follows = this.#bodies.length === 0 || entry.place === this.#first + this.#bodies.length
    if (entry.place === undefined || this.#isTooLong || !follows) {
      this.#close()
      this.#begin(entry.path)
    } else {
      if (this.#bodies.length === 0) this.#first = entry.place
      this.#bodies.push(this.#used - paddedSize(entry.size))
      this.#whole = this.#used
    }
    this.#last = entry.path
    return this.#last
  }

  /** A stretch that is as it was. */
  add({ size, tag, bodies }: TarStretch, { first, last }: KnownEntries): void {
    this.#close()
    this.#stretches.push({ after: this.#last, size, tag, first, bodies })
    this.#last = last
    this.#begin(last)
  }

  #begin(after: RawName | undefined): void {
    this.#after = after
    this.#used = 0
    this.#isTooLong = false
  }

  /** What is left of the entry that is not whole stays. */
  #close(): void {
    if (this.#bodies.length > 0) {
      const tag = this.#tagOf(this.#buffer.subarray(0, this.#whole))
      this.#stretches.push({ after: this.#after, size: this.#whole, tag, first: this.#first, bodies: this.#bodies })
    }
    this.#buffer.copyWithin(0, this.#whole, this.#used)
    this.#used -= this.#whole
    this.#whole = 0
    this.#after = this.#last
    this.#bodies = []
  }
}
