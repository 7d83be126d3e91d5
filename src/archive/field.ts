import { corrupt } from '#base'

/** Block size of the format; headers fill one, bodies are padded to it. */
export const BLOCK = 512

/** Of a body, with what fills its last block. */
export function paddedSize(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}

/** The text of a header field up to its first NUL, one character for each byte. */
export function readText(block: Buffer, start: number, length: number): string {
  let end = start
  while (end < start + length && block[end] !== 0) end += 1
  return end === start ? '' : block.toString('latin1', start, end)
}

/**
 * A numeric header field: octal digits between blanks (POSIX), or base 256 (GNU) where the first bit is set.
 * Throws `corrupt` for anything else and for what a number cannot hold exactly.
 */
export function readNumber(block: Buffer, start: number, length: number): number {
  const value = ((block[start] ?? 0) & 0x80) === 0 ? readOctal(block, start, length) : readBase256(block, start, length)
  if (!Number.isSafeInteger(value)) throw corrupt('malformed tar: a number in a header is too large')
  return value
}

function readOctal(block: Buffer, start: number, length: number): number {
  let at = start
  const end = start + length
  while (at < end && isBlank(block[at])) at += 1
  let value = 0
  for (; at < end; at += 1) {
    const digit = (block[at] ?? 0) - 0x30
    if (digit < 0 || digit > 7) break
    value = value * 8 + digit
  }
  if (at < end && !isBlank(block[at])) throw corrupt('malformed tar: a number in a header has a wrong digit')
  return value
}

function readBase256(block: Buffer, start: number, length: number): number {
  const negative = block[start] === 0xff
  if (!negative && block[start] !== 0x80) throw corrupt('malformed tar: a number in a header is too large')
  let value = 0n
  for (let at = start + 1; at < start + length; at += 1) value = (value << 8n) | BigInt(block[at] ?? 0)
  return Number(negative ? value - (1n << BigInt((length - 1) * 8)) : value)
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0
}

/** The checksum of a header block: sums of its bytes, unsigned and signed, with the checksum field taken as blanks. */
export function checksums(block: Buffer): { readonly unsigned: number; readonly signed: number } {
  let unsigned = 8 * 0x20
  let high = 0
  for (let at = 0; at < BLOCK; at += 1) {
    if (at >= 148 && at < 156) continue
    const byte = block[at] ?? 0
    unsigned += byte
    if (byte > 127) high += 1
  }
  return { unsigned, signed: unsigned - 256 * high }
}
