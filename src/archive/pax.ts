import { corrupt } from '#base'
import type { RawName } from './types.ts'

/** Key and value of one record, bytes as characters; order and doubles are kept, as the sparse formats need them. */
export type PaxRecord = readonly [key: string, value: string]

const NEWLINE = 0x0a
const SPACE = 0x20
const EQUALS = 0x3d

/** The records of an extended header (pax(1), «length key=value newline»). Throws `corrupt`. */
export function parsePax(body: Buffer): PaxRecord[] {
  const records: PaxRecord[] = []
  let at = 0
  while (at < body.length) {
    const space = body.indexOf(SPACE, at)
    const length = space < 0 || space - at > 10 ? Number.NaN : parseLength(body.toString('latin1', at, space))
    const end = at + length
    const equals = body.indexOf(EQUALS, space + 1)
    const sound = end <= body.length && body[end - 1] === NEWLINE && equals > space && equals < end
    if (!sound) throw corrupt('malformed tar: an extended header has a broken record')
    records.push([body.toString('latin1', space + 1, equals), body.toString('latin1', equals + 1, end - 1)])
    at = end
  }
  return records
}

function parseLength(text: string): number {
  return /^[0-9]+$/.test(text) ? Number(text) : Number.NaN
}

/** The bytes of an extended header of these records, in the order given. */
export function formatPax(records: readonly PaxRecord[]): Buffer {
  return Buffer.from(records.map(formatRecord).join(''), 'latin1')
}

function formatRecord([key, value]: PaxRecord): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

/** A decimal number of an extended header. Throws `corrupt` where it is none, negative, or not exact. */
export function parsePaxNumber(key: string, value: string): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number)) throw corrupt(`malformed tar: ${key} of an extended header is no number`)
  return number
}

/** A time of an extended header (seconds with a fraction) in nanoseconds; digits past the ninth are cut. */
export function parsePaxTime(value: string): bigint {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(value)
  if (!match) throw corrupt('malformed tar: a time of an extended header is no number')
  const [, sign, seconds = '', fraction = ''] = match
  const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  return sign === '-' ? -nanoseconds : nanoseconds
}

/** Seconds with as few digits of fraction as are needed. */
export function formatPaxTime(nanoseconds: bigint): string {
  const absolute = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const fraction = (absolute % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  const whole = `${nanoseconds < 0n ? '-' : ''}${absolute / 1_000_000_000n}`
  return fraction === '' ? whole : `${whole}.${fraction}`
}

const SCHILY = 'SCHILY.xattr.'
const LIBARCHIVE = 'LIBARCHIVE.xattr.'

/** The extended attribute that a record carries, or undefined for other records. */
export function xattrOfRecord([key, value]: PaxRecord): readonly [RawName, Buffer] | undefined {
  if (key.startsWith(SCHILY)) return [key.slice(SCHILY.length), Buffer.from(value, 'latin1')]
  if (!key.startsWith(LIBARCHIVE)) return undefined
  return [decodePercent(key.slice(LIBARCHIVE.length)), Buffer.from(value, 'base64')]
}

/** SCHILY's form, as all engines write it; a name with `=` or a line end, which that form cannot carry, in libarchive's. */
export function recordOfXattr(name: RawName, value: Uint8Array): PaxRecord {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (!/[=\n]/.test(name)) return [`${SCHILY}${name}`, bytes.toString('latin1')]
  return [`${LIBARCHIVE}${encodePercent(name)}`, bytes.toString('base64')]
}

function encodePercent(name: RawName): string {
  return name.replace(
    /[^A-Za-z0-9._-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  )
}

function decodePercent(text: string): RawName {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}
