import { attachMount, unmountSync } from '#kernel'
import { close, constants, openSync, read, writeSync } from 'node:fs'

/*
 * A file system whose answers change: its name `s` is a folder, then a link, then a folder…, at every look or at every second
 * or third. Who looks at a path and then uses it by name gets something else. No luck is needed for it, as in a race.
 *
 *   s/secret, s/m/secret   «inside»        calm/file   «quiet», always
 */

/** include/uapi/linux/fuse.h */
const OP = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  readlink: 5,
  open: 14,
  read: 15,
  statfs: 17,
  release: 18,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  interrupt: 36,
  batchForget: 42,
} as const
const ENOENT = 2
const EROFS = 30
const ENOSYS = 38
const ROOT = 1n

type Kind = 'root' | 's' | 'link' | 'm' | 'secret' | 'calm' | 'file'

const TEXTS: Readonly<Partial<Record<Kind, string>>> = { secret: 'inside\n', file: 'quiet\n' }
const BELOW: Readonly<Partial<Record<Kind, Readonly<Record<string, Kind>>>>> = {
  root: { s: 's', calm: 'calm' },
  s: { secret: 'secret', m: 'm' },
  m: { secret: 'secret' },
  calm: { file: 'file' },
}

/** Served by this process: nobody in it may look at it but by other processes. */
export class FickleFolder implements Disposable {
  readonly #fd: number
  readonly #place: string
  readonly #links: readonly string[]
  /** By number; each look at `s` gets a new one, so that nothing is taken from a cache. */
  readonly #kinds = new Map<bigint, Kind>([[ROOT, 'root']])
  /** After so many walks by its name it changes. */
  every = 1
  #looks = 0
  #next = ROOT

  constructor(place: string, links: readonly string[]) {
    this.#place = place
    this.#links = links
    this.#fd = openSync('/dev/fuse', 'r+')
    const options = [`fd=${this.#fd}`, 'rootmode=40000', 'user_id=0', 'group_id=0', 'allow_other']
    attachMount({ type: 'fuse', source: 'fickle', options }, place)
    this.#serve()
  }

  /** How often somebody looked at `s`. */
  get looks(): number {
    return this.#looks
  }

  [Symbol.dispose](): void {
    unmountSync(this.#place, { detach: true })
    // The read under way ends once the last mount is gone.
    setTimeout(() => close(this.#fd, () => undefined), 200).unref()
  }

  #serve(): void {
    const buffer = Buffer.allocUnsafe(1 << 18)
    read(this.#fd, buffer, 0, buffer.length, null, (error, size) => {
      if (error?.code === 'ENODEV' || error?.code === 'EBADF') return
      if (!error) this.#take(buffer.subarray(0, size))
      this.#serve()
    })
  }

  #take(message: Buffer): void {
    const [op, unique, node] = [message.readUInt32LE(4), message.readBigUInt64LE(8), message.readBigUInt64LE(16)]
    if (op === OP.forget || op === OP.batchForget || op === OP.interrupt) return
    const answer = this.#answer(op, node, message.subarray(40))
    const head = Buffer.alloc(16)
    const body = typeof answer === 'number' ? Buffer.alloc(0) : answer
    head.writeUInt32LE(16 + body.length, 0)
    head.writeInt32LE(typeof answer === 'number' ? -answer : 0, 4)
    head.writeBigUInt64LE(unique, 8)
    try {
      writeSync(this.#fd, Buffer.concat([head, body]))
    } catch {
      // who asked has been killed
    }
  }

  #answer(op: number, node: bigint, input: Buffer): Buffer | number {
    const kind = this.#kinds.get(node) ?? 'file'
    switch (op) {
      case OP.init:
        return initAnswer()
      case OP.lookup:
        return this.#lookup(kind, input.subarray(0, input.indexOf(0)).toString())
      case OP.getattr:
        return Buffer.concat([Buffer.alloc(16), attributes(node, kind)])
      case OP.readlink:
        return Buffer.from(this.#links[this.#looks % this.#links.length] ?? '')
      case OP.open:
      case OP.opendir:
        return Buffer.alloc(16)
      case OP.read: {
        const [offset, size] = [Number(input.readBigUInt64LE(8)), input.readUInt32LE(16)]
        return Buffer.from(TEXTS[kind] ?? '').subarray(offset, offset + size)
      }
      case OP.readdir:
        return input.readBigUInt64LE(8) === 0n ? entriesOf(kind) : Buffer.alloc(0)
      case OP.statfs:
        return Buffer.alloc(80)
      case OP.release:
      case OP.releasedir:
      case OP.flush:
        return Buffer.alloc(0)
      default:
        return op < 16 || op === 35 ? EROFS : ENOSYS
    }
  }

  /** A walk by a name that was walked before looks twice: whether it is still the same, and what it is now. */
  #lookup(parent: Kind, name: string): Buffer | number {
    const kind = BELOW[parent]?.[name]
    if (kind === undefined) return ENOENT
    this.#next += 1n
    if (kind === 's') this.#looks += 1
    const isLink = kind === 's' && Math.floor(this.#looks / 2 / this.every) % 2 === 1
    this.#kinds.set(this.#next, isLink ? 'link' : kind)
    const entry = Buffer.alloc(40)
    entry.writeBigUInt64LE(this.#next, 0)
    return Buffer.concat([entry, attributes(this.#next, isLink ? 'link' : kind)])
  }
}

function attributes(node: bigint, kind: Kind): Buffer {
  const data = Buffer.alloc(88)
  const text = TEXTS[kind]
  const type = text !== undefined ? constants.S_IFREG : kind === 'link' ? constants.S_IFLNK : constants.S_IFDIR
  data.writeBigUInt64LE(node, 0)
  data.writeBigUInt64LE(BigInt(text?.length ?? 64), 8)
  data.writeUInt32LE(type | 0o755, 60)
  data.writeUInt32LE(text === undefined ? 2 : 1, 64)
  data.writeUInt32LE(4096, 80)
  return data
}

function entriesOf(kind: Kind): Buffer {
  const names = Object.keys(BELOW[kind] ?? {})
  return Buffer.concat(
    names.map((name, at) => {
      const entry = Buffer.alloc((24 + name.length + 7) & ~7)
      entry.writeBigUInt64LE(BigInt(at + 100), 0)
      entry.writeBigUInt64LE(BigInt(at + 1), 8)
      entry.writeUInt32LE(name.length, 16)
      entry.write(name, 24)
      return entry
    }),
  )
}

/** Version 7.31, no flags: every look is asked for. */
function initAnswer(): Buffer {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(7, 0)
  data.writeUInt32LE(31, 4)
  data.writeUInt32LE(1 << 16, 8)
  data.writeUInt16LE(12, 16)
  data.writeUInt16LE(9, 18)
  data.writeUInt32LE(1 << 16, 20)
  data.writeUInt32LE(1, 24)
  return data
}
