import { invalid } from '#base'
import { MOST_OF_RECORD, type Ring, type RingWriter, readRing, type Stopper } from '#kernel'
import type { Owner } from './confined-root.ts'
import type { Attributes, EntryWriter, OpenFile } from './write-tree.ts'

/** What a record asks for: its first byte. Bytes of a file follow, and behind them words as JSON. */
const CALL = {
  makeFolders: 1,
  folder: 2,
  file: 3,
  open: 4,
  bytes: 5,
  close: 6,
  link: 7,
  hardLink: 8,
  node: 9,
  other: 10,
}
/** In front of the bytes: the call, and how many they are. */
const FRONT = 8
/** A file that is larger is handed over in pieces. */
const PIECE = 128 << 10
/** Letters of the names of a file, as JSON. The kernel takes 4096. */
const MOST_OF_NAMES = MOST_OF_RECORD / 2
/** For numbers and the times of a file, behind its names. */
const NUMBERS_ROOM = 256

/** Names are raw: one character a byte. */
export type Words = readonly (string | number | null)[]

/** Hands what is to be written to another thread, which does it in the same order (`writeHanded`). */
export class HandedWriter implements EntryWriter {
  readonly #ring: RingWriter

  constructor(ring: RingWriter) {
    this.#ring = ring
  }

  makeFolders(path: string, owner: Owner): void {
    send(this.#ring, CALL.makeFolders, [path, owner.uid, owner.gid])
  }

  folder(parent: string, name: string, attributes: Attributes): void {
    send(this.#ring, CALL.folder, [parent, name, ...wordsOf(attributes)])
  }

  openFile(parent: string, name: string): OpenFile {
    return new HandedFile(this.#ring, parent, name)
  }

  link(parent: string, name: string, attributes: Attributes, target: string): void {
    send(this.#ring, CALL.link, [parent, name, target, ...wordsOf(attributes)])
  }

  hardLink(parent: string, name: string, source: { readonly folder: string; readonly name: string }): void {
    send(this.#ring, CALL.hardLink, [parent, name, source.folder, source.name])
  }

  node(parent: string, name: string, attributes: Attributes, device: bigint): void {
    send(this.#ring, CALL.node, [parent, name, String(device), ...wordsOf(attributes)])
  }

  /** Something else that both sides know of. */
  other(words: Words): void {
    send(this.#ring, CALL.other, words)
  }

  /** Returns once all of it is there. */
  settle(): void {
    this.#ring.settle()
  }

  /** Times of folders; returns once all is done. */
  finish(): void {
    this.#ring.finish()
  }
}

/** A file that is small goes in one record, which is open until its attributes are known. */
class HandedFile implements OpenFile {
  readonly #ring: RingWriter
  /** As JSON: a name may take six times its length. */
  readonly #names: string
  #whole: { readonly record: Buffer; readonly body: number } | undefined
  #isOpen = false
  #end = 0

  constructor(ring: RingWriter, parent: string, name: string) {
    this.#ring = ring
    this.#names = textOf([parent, name])
    if (this.#names.length > MOST_OF_NAMES) throw tooLong()
  }

  append(chunk: Uint8Array, offset = this.#end): void {
    this.#end = offset + chunk.length
    if (!this.#isOpen && this.#whole === undefined && offset === 0 && chunk.length <= PIECE) {
      const record = this.#ring.reserve(FRONT + chunk.length + this.#names.length + NUMBERS_ROOM)
      record.set(chunk, FRONT)
      this.#whole = { record, body: chunk.length }
      return
    }
    this.#open()
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE)
      const record = this.#ring.reserve(FRONT + piece.length + NUMBERS_ROOM)
      record.set(piece, FRONT)
      this.#ring.put(completed(record, CALL.bytes, piece.length, textOf([offset + at])))
    }
  }

  finish(attributes: Attributes, size?: number): void {
    const text = `${this.#names.slice(0, -1)},${textOf([size ?? null, ...wordsOf(attributes)]).slice(1)}`
    const { record, body } = this.#whole ?? { record: undefined, body: 0 }
    if (!this.#isOpen && (record === undefined || FRONT + body + text.length <= record.length)) {
      const whole = record ?? reserve(this.#ring, text)
      this.#ring.put(completed(whole, CALL.file, body, text))
      return
    }
    this.#open()
    send(this.#ring, CALL.close, [size ?? null, ...wordsOf(attributes)])
  }

  /** The other side does so where the work ends early. */
  abandon(): void {}

  #open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    const { record, body } = this.#whole ?? { record: reserve(this.#ring, this.#names), body: 0 }
    this.#ring.put(completed(record, CALL.open, body, this.#names))
  }
}

function send(ring: RingWriter, call: number, words: Words): void {
  const text = textOf(words)
  ring.put(completed(reserve(ring, text), call, 0, text))
}

function reserve(ring: RingWriter, text: string): Buffer {
  if (FRONT + text.length > MOST_OF_RECORD) throw tooLong()
  return ring.reserve(FRONT + text.length)
}

function tooLong(): Error {
  return invalid('cannot write an entry whose names and attributes take more than half a MiB')
}

function textOf(words: Words): string {
  return JSON.stringify(words)
}

/** The length of a record that has its bytes already. */
function completed(record: Buffer, call: number, body: number, text: string): number {
  record[0] = call
  record.writeUInt32LE(body, 4)
  return FRONT + body + record.write(text, FRONT + body, 'latin1')
}

function wordsOf({ mode, owner, mtime, xattrs }: Attributes): Words {
  const values = xattrs.flatMap(({ name, value }) => [name, value.toString('hex')])
  return [mode, owner.uid, owner.gid, mtime === undefined ? null : String(mtime), ...values]
}

function attributesOf([mode, uid, gid, mtime, ...values]: Words): Attributes {
  const xattrs = values.flatMap((name, at) =>
    at % 2 === 0 ? [{ name: String(name), value: Buffer.from(String(values[at + 1]), 'hex') }] : [],
  )
  const time = mtime === null ? {} : { mtime: BigInt(mtime ?? 0) }
  return { mode: Number(mode), owner: { uid: Number(uid), gid: Number(gid) }, ...time, xattrs }
}

/** Writes what another thread hands over (`HandedWriter`), until that finishes: how many records it was. */
export function writeHanded(
  ring: Ring,
  writer: EntryWriter,
  options: { readonly stopper: Stopper; readonly other: (words: Words) => void },
): number {
  let count = 0
  const hands = new Hands(writer, options.other)
  try {
    readRing(ring, options.stopper, {
      record: (record) => {
        count += 1
        hands.take(record)
      },
      end: () => writer.finish(),
    })
  } finally {
    hands.close()
  }
  return count
}

class Hands {
  readonly #writer: EntryWriter
  readonly #other: (words: Words) => void
  #file: OpenFile | undefined

  constructor(writer: EntryWriter, other: (words: Words) => void) {
    this.#writer = writer
    this.#other = other
  }

  close(): void {
    this.#file?.abandon()
    this.#file = undefined
  }

  take(record: Buffer): void {
    const end = FRONT + record.readUInt32LE(4)
    const body = record.subarray(FRONT, end)
    const words = JSON.parse(record.toString('latin1', end)) as Words
    const [first, second, third, ...rest] = words
    const [parent, name] = [String(first), String(second)]
    switch (record[0] ?? CALL.other) {
      case CALL.makeFolders:
        return this.#writer.makeFolders(parent, { uid: Number(second), gid: Number(third) })
      case CALL.folder:
        return this.#writer.folder(parent, name, attributesOf(words.slice(2)))
      case CALL.file:
        this.#open(parent, name, body)
        return this.#finish(third, rest)
      case CALL.open:
        return this.#open(parent, name, body)
      case CALL.bytes:
        return this.#file?.append(body, Number(first))
      case CALL.close:
        return this.#finish(first, words.slice(1))
      case CALL.link:
        return this.#writer.link(parent, name, attributesOf(rest), String(third))
      case CALL.hardLink:
        return this.#writer.hardLink(parent, name, { folder: String(third), name: String(rest[0]) })
      case CALL.node:
        return this.#writer.node(parent, name, attributesOf(rest), BigInt(third ?? 0))
      default:
        return this.#other(words)
    }
  }

  #open(parent: string, name: string, body: Buffer): void {
    this.#file = this.#writer.openFile(parent, name)
    if (body.length > 0) this.#file.append(body)
  }

  #finish(size: string | number | null | undefined, words: Words): void {
    const file = this.#file
    this.#file = undefined
    file?.finish(attributesOf(words), size === null ? undefined : Number(size))
  }
}
