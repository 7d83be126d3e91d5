import { invalid } from '#base'
import { BLOCK, checksums } from './field.ts'
import { isUtf8Name, quoteName } from './name.ts'
import { type PaxRecord, formatPax, formatPaxTime, recordOfXattr } from './pax.ts'
import type { RawName, TarInput, TarKind } from './types.ts'

/**
 * The number of the writer's rule set. What is written for an entry never changes under one number: diff ids of layers
 * that were hashed but not kept depend on it. Rule set 1: POSIX ustar headers without user names; a name goes into
 * the ustar fields where it fits, whatever its bytes; a PAX header (records: path, linkpath, size, uid, gid, mtime,
 * then xattrs sorted by name) only for what ustar cannot carry; times with nine digits at most; two empty blocks end it.
 */
export const TAR_RULES = 1

const TYPES: Readonly<Record<TarKind, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

const MAX_ID = 0o7777777
const MAX_SIZE = 0o77777777777
const BUFFER = 1 << 18

/**
 * A synchronous, deterministic tar writer. `put` is handed chunks that are valid only during the call. The bytes of
 * a file follow its entry by `body`, `size` of them, else the next call throws `invalid`.
 */
export class TarWriter {
  readonly #put: (chunk: Buffer) => void
  readonly #buffer = Buffer.allocUnsafe(BUFFER)
  #used = 0
  #left = 0
  #padding = 0

  constructor(put: (chunk: Buffer) => void) {
    this.#put = put
  }

  entry(entry: TarInput): void {
    this.#endBody()
    const records = recordsOf(entry)
    if (records.length > 0) this.#extension(formatPax(records))
    const size = entry.kind === 'file' ? (entry.size ?? 0) : 0
    this.#header(entry, size)
    this.#left = size
    this.#padding = padding(size)
  }

  body(chunk: Uint8Array): void {
    if (chunk.length > this.#left) throw invalid('cannot write tar: a file has more bytes than its entry says')
    this.#left -= chunk.length
    this.#write(chunk)
  }

  /** The next `size` bytes of the file go another way: all that was put before is handed on first. */
  bodyBeside(size: number): void {
    if (size > this.#left) throw invalid('cannot write tar: a file has more bytes than its entry says')
    this.#left -= size
    this.#flush()
  }

  finish(): void {
    this.#endBody()
    this.#zeros(2 * BLOCK)
    this.#flush()
  }

  #endBody(): void {
    if (this.#left > 0) throw invalid('cannot write tar: a file has fewer bytes than its entry says')
    this.#zeros(this.#padding)
    this.#padding = 0
  }

  #extension(body: Buffer): void {
    this.#header({ kind: 'file', path: '././@PaxHeader', mode: 0o644 }, body.length, 'x')
    this.#write(body)
    this.#zeros(padding(body.length))
  }

  #header(entry: TarInput, size: number, type = TYPES[entry.kind]): void {
    const block = this.#reserve(BLOCK)
    block.fill(0)
    const { name, prefix } = splitPath(entryPath(entry)) ?? { name: entryPath(entry), prefix: '' }
    block.write(name.slice(0, 100), 0, 'latin1')
    writeOctal(block, 100, 8, (entry.mode ?? 0) & 0o7777)
    writeOctal(block, 108, 8, clamp(entry.uid, MAX_ID))
    writeOctal(block, 116, 8, clamp(entry.gid, MAX_ID))
    writeOctal(block, 124, 12, clamp(size, MAX_SIZE))
    writeOctal(block, 136, 12, headerSeconds(entry.mtime ?? 0n))
    block.write(type, 156, 'latin1')
    if (entry.link) block.write(entry.link.slice(0, 100), 157, 'latin1')
    block.write('ustar\x0000', 257, 'latin1')
    if (entry.kind === 'character' || entry.kind === 'block') {
      writeOctal(block, 329, 8, entry.major ?? 0)
      writeOctal(block, 337, 8, entry.minor ?? 0)
    }
    if (prefix !== '') block.write(prefix, 345, 'latin1')
    writeOctal(block, 148, 7, checksums(block).unsigned)
    block[155] = 0x20
  }

  #reserve(length: number): Buffer {
    if (this.#used + length > BUFFER) this.#flush()
    const start = this.#used
    this.#used += length
    return this.#buffer.subarray(start, this.#used)
  }

  #write(chunk: Uint8Array): void {
    if (chunk.length <= BUFFER - this.#used) {
      this.#buffer.set(chunk, this.#used)
      this.#used += chunk.length
      return
    }
    this.#flush()
    this.#put(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  }

  #zeros(length: number): void {
    if (length > 0) this.#reserve(length).fill(0)
  }

  #flush(): void {
    if (this.#used > 0) this.#put(this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }
}

function entryPath(entry: TarInput): RawName {
  const needsSlash = entry.kind === 'directory' && !entry.path.endsWith('/')
  return needsSlash ? `${entry.path}/` : entry.path
}

/** The records that ustar's fields cannot carry. */
function recordsOf(entry: TarInput): PaxRecord[] {
  const path = entryPath(entry)
  if (path === '' || path.includes('\0')) throw invalid(`cannot write tar: ${quoteName(path)} is no name`)
  const link = entry.link ?? ''
  const names: PaxRecord[] = []
  if (!splitPath(path)) names.push(['path', path])
  if (link.length > 100) names.push(['linkpath', link])
  // POSIX has names in UTF-8; readers that translate them are told that these are bytes
  if (names.some(([, name]) => !isUtf8Name(name))) names.unshift(['hdrcharset', 'BINARY'])
  return [...names, ...numberRecords(entry), ...xattrRecords(entry)]
}

function numberRecords({ kind, size = 0, uid = 0, gid = 0, mtime = 0n }: TarInput): PaxRecord[] {
  const records: PaxRecord[] = []
  if (kind === 'file' && size > MAX_SIZE) records.push(['size', String(size)])
  if (uid > MAX_ID) records.push(['uid', String(uid)])
  if (gid > MAX_ID) records.push(['gid', String(gid)])
  if (BigInt(headerSeconds(mtime)) * 1_000_000_000n !== mtime) records.push(['mtime', formatPaxTime(mtime)])
  return records
}

function xattrRecords({ xattrs }: TarInput): PaxRecord[] {
  if (!xattrs || xattrs.size === 0) return []
  const sorted = [...xattrs].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))
  return sorted.map(([name, value]) => recordOfXattr(name, value))
}

/** The two name fields of ustar, split at the first slash that makes both fit; undefined where none does. */
function splitPath(path: RawName): { readonly name: string; readonly prefix: string } | undefined {
  if (path.length <= 100) return { name: path, prefix: '' }
  const slash = path.indexOf('/', path.length - 101)
  if (slash <= 0 || slash > 155 || slash === path.length - 1) return undefined
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) }
}

function headerSeconds(mtime: bigint): number {
  const seconds = mtime / 1_000_000_000n
  return seconds < 0n ? 0 : clamp(Number(seconds), MAX_SIZE)
}

function clamp(value = 0, limit = MAX_SIZE): number {
  return value > limit ? limit : value
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

function writeOctal(block: Buffer, start: number, length: number, value: number): void {
  let rest = value
  for (let at = start + length - 2; at >= start; at -= 1) {
    block[at] = 0x30 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}
