import { corrupt } from '#base'
import { BLOCK, checksums, readNumber, readText } from './field.ts'
import { type PaxRecord, parsePaxNumber, parsePaxTime, xattrOfRecord } from './pax.ts'
import { quoteName } from './name.ts'
import type { RawName, TarEntry, TarKind } from './types.ts'

/** A header block as it stands, before extensions are applied. */
export interface RawHeader {
  readonly type: string
  readonly path: RawName
  readonly link: RawName
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes that follow in the archive. */
  readonly size: number
  /** Seconds. */
  readonly mtime: number
  readonly major: number
  readonly minor: number
}

/** Extensions in force for the next entry. */
export interface Extensions {
  readonly records: readonly PaxRecord[]
  readonly path?: RawName | undefined
  readonly link?: RawName | undefined
}

const ZEROS = Buffer.alloc(BLOCK)

export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.equals(ZEROS)
}

/** Reads a header block: v7, ustar, star's and GNU's. Throws `corrupt` where the checksum or a number is wrong. */
export function parseHeader(block: Buffer): RawHeader {
  const sum = checksums(block)
  const expected = readNumber(block, 148, 8)
  if (expected !== sum.unsigned && expected !== sum.signed)
    throw corrupt('malformed tar: a header has a wrong checksum')
  const type = block.toString('latin1', 156, 157)
  const isDevice = type === '3' || type === '4'
  return {
    type,
    path: readPath(block),
    link: readText(block, 157, 100),
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readNumber(block, 124, 12),
    mtime: readNumber(block, 136, 12),
    major: isDevice ? readNumber(block, 329, 8) : 0,
    minor: isDevice ? readNumber(block, 337, 8) : 0,
  }
}

function readPath(block: Buffer): RawName {
  const name = readText(block, 0, 100)
  if (block[257] !== 0x75 || block.toString('latin1', 257, 263) !== 'ustar\0') return name
  if (block[345] === 0) return name
  const isStar = block.toString('latin1', 508, 512) === 'tar\0'
  const prefix = readText(block, 345, isStar ? 131 : 155)
  return prefix === '' ? name : `${prefix}/${name}`
}

/**
 * The entry that a header and its extensions describe; `stored` is the bytes that follow in the archive.
 * Throws `corrupt` for unknown types and for what readers of other projects would take in different ways.
 */
export function resolveEntry(header: RawHeader, extensions: Extensions): { entry: TarEntry; stored: number } {
  const facts = mergeRecords(header, extensions)
  const kind = kindOf(header.type, facts.path)
  const isLink = kind === 'hardlink' || kind === 'symlink'
  checkFacts(facts, isLink)
  // a hard link's size is that of its target, without bytes (GNU tar, Go); of other kinds readers disagree
  const stored = kind === 'hardlink' ? 0 : facts.size
  if (stored > 0 && kind !== 'file' && header.type !== 'D') {
    throw corrupt(`malformed tar: entry ${quoteName(facts.path)} is no file but has bytes`)
  }
  const { path, mode, uid, gid, mtime, major, minor, xattrs } = facts
  const link = isLink ? facts.link : ''
  const size = kind === 'file' ? facts.size : 0
  return { entry: { kind, path, link, mode, uid, gid, size, mtime, major, minor, xattrs }, stored }
}

function checkFacts({ path, link, size, uid, gid, major, minor }: Facts, isLink: boolean): void {
  if (path.includes('\0') || link.includes('\0')) throw corrupt('malformed tar: an entry has a NUL in a name')
  if (Math.min(size, uid, gid, major, minor) < 0) {
    throw corrupt(`malformed tar: entry ${quoteName(path)} has a negative number`)
  }
  if (isLink && link === '') throw corrupt(`malformed tar: link ${quoteName(path)} has no target`)
}

const NO_XATTRS: ReadonlyMap<RawName, Uint8Array> = new Map()

interface Facts {
  path: RawName
  link: RawName
  readonly mode: number
  uid: number
  gid: number
  size: number
  mtime: bigint
  readonly major: number
  readonly minor: number
  xattrs: ReadonlyMap<RawName, Uint8Array>
}

function mergeRecords(header: RawHeader, { records, path, link }: Extensions): Facts {
  const facts: Facts = {
    path: path ?? header.path,
    link: link ?? header.link,
    mode: header.mode,
    uid: header.uid,
    gid: header.gid,
    size: header.size,
    mtime: BigInt(header.mtime) * 1_000_000_000n,
    major: header.major,
    minor: header.minor,
    xattrs: NO_XATTRS,
  }
  if (records.length === 0) return facts
  const xattrs = new Map<RawName, Uint8Array>()
  for (const record of records) {
    const xattr = xattrOfRecord(record)
    if (xattr) xattrs.set(...xattr)
    // an empty value takes the record back: the header's own value counts (pax(1))
    else if (record[1] !== '') mergeRecord(facts, record)
  }
  // a sparse file's own name stands here, its path is one of GNU tar's making
  facts.path = records.findLast(([key]) => key === 'GNU.sparse.name')?.[1] ?? facts.path
  if (xattrs.size > 0) facts.xattrs = xattrs
  return facts
}

function mergeRecord(facts: Facts, [key, value]: PaxRecord): void {
  switch (key) {
    case 'path':
      facts.path = value
      break
    case 'linkpath':
      facts.link = value
      break
    case 'size':
      facts.size = parsePaxNumber(key, value)
      break
    case 'uid':
      facts.uid = parsePaxNumber(key, value)
      break
    case 'gid':
      facts.gid = parsePaxNumber(key, value)
      break
    case 'mtime':
      facts.mtime = parsePaxTime(value)
      break
  }
}

function kindOf(type: string, path: RawName): TarKind {
  switch (type) {
    case '\0':
    case '0':
    case '7':
    case 'S':
      // GNU tar and v7 mark a folder by a slash at the end
      return path.length > 1 && path.endsWith('/') ? 'directory' : 'file'
    case '1':
      return 'hardlink'
    case '2':
      return 'symlink'
    case '3':
      return 'character'
    case '4':
      return 'block'
    case '5':
    case 'D':
      return 'directory'
    case '6':
      return 'fifo'
    default:
      throw corrupt(`malformed tar: entry ${quoteName(path)} has the unknown type ${JSON.stringify(type)}`)
  }
}
