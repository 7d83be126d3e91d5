import { constants as fsConstants } from 'node:fs'
import { constants as osConstants, endianness } from 'node:os'
import { internal } from '#base'
import { ffi, lazy } from './ffi.ts'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, libc, NUMBER, O_CLOEXEC } from './libc.ts'
import { checked, systemCallError } from './system-call-error.ts'

/**
 * Calls on an entry of an open folder. Beside node:fs with a path through /proc they take half the time, which counts where
 * each of many thousand files is asked. Names are raw: one character a byte, without a slash.
 */

/** Numbers of 32 bits that an `EntryStat` keeps: first those that tell one state of an entry from another. */
const KEPT = 23
/** Of these: all but the time of the last access and the blocks on the disk. */
export const STATE_WORDS = 18
/** Entries whose numbers share one piece of memory. */
const AT_ONCE = 256

/** Of an entry's: inode, size, mtime, ctime. */
const STAMP_BYTES = { from: 4, to: 44 } as const

/** Bytes of struct statx (linux/stat.h). */
const STATX = 256
const STATX_BASIC_STATS = 0x7ff

const BILLION = 1_000_000_000n

/** What there is to know of an entry: the numbers of node's `BigIntStats`, each made when it is asked for. */
export class EntryStat {
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #at: number

  constructor({ words, bytes }: Numbers, at: number) {
    this.#words = words
    this.#bytes = bytes
    this.#at = at
  }

  /** Inode, size and times of change: a text that another state of the same file does not have. */
  get stamp(): string {
    return this.#bytes.toString('base64', 4 * this.#at + STAMP_BYTES.from, 4 * this.#at + STAMP_BYTES.to)
  }

  /** Writes what tells this state from another, `STATE_WORDS` numbers. */
  copyState(to: Int32Array, start: number): void {
    for (let index = 0; index < STATE_WORDS; index += 1) to[start + index] = this.#word(index)
  }

  get mode(): bigint {
    return BigInt(this.#word(0) & 0xffff)
  }
  get ino(): bigint {
    return this.#long(1)
  }
  get size(): bigint {
    return this.#long(3)
  }
  get mtimeNs(): bigint {
    return this.#time(5)
  }
  get ctimeNs(): bigint {
    return this.#time(8)
  }
  get nlink(): bigint {
    return this.#unsigned(11)
  }
  get uid(): bigint {
    return this.#unsigned(12)
  }
  get gid(): bigint {
    return this.#unsigned(13)
  }
  isOwnedBy(uid: number, gid: number): boolean {
    return this.#word(12) >>> 0 === uid && this.#word(13) >>> 0 === gid
  }
  get rdev(): bigint {
    return deviceNumber(this.#word(14), this.#word(15))
  }
  get dev(): bigint {
    return deviceNumber(this.#word(16), this.#word(17))
  }
  get atimeNs(): bigint {
    return this.#time(18)
  }
  get blocks(): bigint {
    return this.#long(21)
  }

  isFile(): boolean {
    return this.#is(fsConstants.S_IFREG)
  }
  isDirectory(): boolean {
    return this.#is(fsConstants.S_IFDIR)
  }
  isSymbolicLink(): boolean {
    return this.#is(fsConstants.S_IFLNK)
  }
  isSocket(): boolean {
    return this.#is(fsConstants.S_IFSOCK)
  }
  isFIFO(): boolean {
    return this.#is(fsConstants.S_IFIFO)
  }
  isBlockDevice(): boolean {
    return this.#is(fsConstants.S_IFBLK)
  }
  isCharacterDevice(): boolean {
    return this.#is(fsConstants.S_IFCHR)
  }

  #is(type: number): boolean {
    return (this.#word(0) & fsConstants.S_IFMT) === type
  }

  #word(index: number): number {
    return this.#words[this.#at + index] ?? 0
  }

  #unsigned(index: number): bigint {
    return BigInt(this.#word(index) >>> 0)
  }

  #long(index: number): bigint {
    return BigInt.asUintN(64, this.#signed(index))
  }

  #signed(index: number): bigint {
    const high = this.#word(index + 1)
    const low = this.#word(index) >>> 0
    // most numbers are small: then no wide ones are needed on the way
    return high >= 0 && high < 0x1fffff ? BigInt(high * 0x100000000 + low) : (BigInt(high) << 32n) | BigInt(low)
  }

  #time(index: number): bigint {
    return this.#signed(index) * BILLION + this.#unsigned(index + 2)
  }
}

/** What node's own stats say as well. */
export type PlainStat = Omit<EntryStat, 'stamp' | 'copyState' | 'isOwnedBy'>

/** As C's makedev(3) joins them. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major >>> 0), BigInt(minor >>> 0)]
  return ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | (low & 0xffn)
}

/** An entry itself, links not followed; undefined where nothing is. */
export function statEntry(folder: number, name: string): EntryStat | undefined {
  const result = callStatx(folder, nameBytes(name), AT_SYMLINK_NOFOLLOW)
  if (result >= 0) return keep()
  const number = ffi().errno()
  if (number === osConstants.errno.ENOENT) return undefined
  throw systemCallError({ call: 'stat', path: Buffer.from(name, 'latin1') }, number)
}

/** What an open descriptor leads to. */
export function statDescriptor(fd: number): EntryStat {
  const result = callStatx(fd, nameBytes(''), AT_EMPTY_PATH)
  if (result < 0) checked(result, { call: 'stat descriptor', path: String(fd) })
  return keep()
}

/** Opens an entry, a link as such (O_NOFOLLOW). The caller closes the descriptor. */
export function openEntry(folder: number, name: string, flags: number): number {
  const all = flags | fsConstants.O_NOFOLLOW | O_CLOEXEC
  const fd = libc().openat(folder, nameBytes(name), all)
  return fd >= 0 ? fd : checked(fd, { call: 'open', path: Buffer.from(name, 'latin1') })
}

/** Makes a second name of an entry, of a link itself where it is one. */
export function linkEntry(folder: number, name: string, toFolder: number, toName: string): void {
  const from = nameBytes(name)
  const to = nameBytes(toName, memory().second)
  const result = libc().linkat(folder, from, toFolder, to, 0)
  if (result < 0) checked(result, { call: 'link', path: Buffer.from(name, 'latin1') })
}

/** Fills `buffer` from the position of an open file: how many bytes, 0 at its end. */
export function readBytes(fd: number, buffer: Uint8Array, length: number, position: number): number {
  if (length > buffer.length) throw internal('cannot read more than there is room for')
  return checked(libc().pread(fd, buffer, length, position), { call: 'read descriptor', path: String(fd) })
}

/** True where an open file or folder has extended attributes. */
export function hasXattrs(fd: number): boolean {
  return libc().flistxattr(fd, null, 0) !== 0
}

interface Memory {
  readonly name: Buffer
  readonly second: Buffer
  readonly statx: Buffer
  readonly words: Int32Array
  readonly keeper: Keeper
}

/** No name of a folder is longer (NAME_MAX). */
const NAME_ROOM = 4096

const memory = lazy((): Memory => {
  if (endianness() !== 'LE')
    throw internal('cannot read numbers of the kernel on a machine that begins with the high ones')
  const statx = Buffer.allocUnsafeSlow(STATX)
  return {
    name: Buffer.allocUnsafeSlow(NAME_ROOM),
    second: Buffer.allocUnsafeSlow(NAME_ROOM),
    statx,
    words: new Int32Array(statx.buffer, statx.byteOffset, STATX / 4),
    keeper: new Keeper(),
  }
})

/** A raw name as C wants it, until the next one. */
export function nameBytes(name: string, room = memory().name): Buffer {
  if (name.length >= NAME_ROOM) throw systemCallError({ call: 'look up a name' }, osConstants.errno.ENAMETOOLONG)
  room[room.write(name, 0, 'latin1')] = 0
  return room
}

function callStatx(folder: number, name: Buffer, flags: number): number {
  return libc().statx(NUMBER.statx, folder, name, flags, STATX_BASIC_STATS, memory().statx)
}

/** Numbers of several entries, and the same memory as bytes. */
interface Numbers {
  readonly words: Int32Array
  readonly bytes: Buffer
}

function newNumbers(count: number): Numbers {
  const words = new Int32Array(count)
  return { words, bytes: Buffer.from(words.buffer) }
}

/** Where struct statx has what is kept, in words. */
const FIELDS = [7, 8, 9, 10, 11, 28, 29, 30, 24, 25, 26, 4, 5, 6, 32, 33, 34, 35, 16, 17, 18, 12, 13] as const

/** Takes what is kept of each call out of the struct that the next one overwrites. */
class Keeper {
  #kept = newNumbers(0)
  #used = 0

  keep(words: Int32Array): EntryStat {
    if (this.#used + KEPT > this.#kept.words.length) {
      this.#kept = newNumbers(KEPT * AT_ONCE)
      this.#used = 0
    }
    const start = this.#used
    const to = this.#kept.words
    for (let index = 0; index < KEPT; index += 1) to[start + index] = words[FIELDS[index] ?? 0] ?? 0
    to[start] = (words[FIELDS[0]] ?? 0) & 0xffff
    this.#used += KEPT
    return new EntryStat(this.#kept, start)
  }
}

/** What the last call has said. */
function keep(): EntryStat {
  const { keeper, words } = memory()
  return keeper.keep(words)
}
