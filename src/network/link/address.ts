import { invalid } from '#base'

export type Family = 4 | 6

export interface Address {
  readonly family: Family
  /** 32 or 128 bits, unsigned. */
  readonly value: bigint
}

/** A block of addresses; it keeps its host bits («172.30.0.1/16»). */
export interface Block extends Address {
  readonly prefix: number
}

export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128
}

/** «a.b.c.d» or an IPv6 address without a zone; undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const value = text.includes(':') ? parseSix(text) : parseFour(text)
  return value === undefined ? undefined : { family: text.includes(':') ? 6 : 4, value }
}

function parseFour(text: string): bigint | undefined {
  // Some read a leading zero as octal, others not at all.
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text)
  const bytes = match?.slice(1).map(Number) ?? []
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) return undefined
  return bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
}

/** RFC 4291, section 2.2. */
function parseSix(text: string): bigint | undefined {
  const halves = withoutDots(text)?.split('::') ?? []
  if (halves.length === 0 || halves.length > 2) return undefined
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - left.length - right.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...left, ...Array.from({ length: missing }, () => '0'), ...right]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}

/** The dotted quad that the last two groups may be written as, as two groups. */
function withoutDots(text: string): string | undefined {
  const [, left, quad] = /^(.*:)(\d[\d.]*\.\d+)$/.exec(text) ?? []
  if (left === undefined || quad === undefined) return text
  const value = parseFour(quad)
  return value === undefined ? undefined : `${left}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`
}

/** IPv6 by RFC 5952: lower case, the longest run of zeros shortened. */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
  const { at, size } = longestZeros(groups)
  if (size < 2) return groups.join(':')
  return `${groups.slice(0, at).join(':')}::${groups.slice(at + size).join(':')}`
}

function longestZeros(groups: readonly string[]): { readonly at: number; readonly size: number } {
  const runs = groups.map((_, at) => {
    const end = groups.findIndex((group, index) => index >= at && group !== '0')
    return { at, size: (end < 0 ? groups.length : end) - at }
  })
  return runs.reduce((best, run) => (run.size > best.size ? run : best), { at: 0, size: 0 })
}

/** «address/length»; throws kind `invalid`. */
export function parseBlock(text: string): Block {
  const block = readBlock(text)
  if (!block) throw invalid(`invalid CIDR address: ${text}`)
  return block
}

/** As `parseBlock`; undefined for what is no block. */
export function readBlock(text: string): Block | undefined {
  const [left = '', right = '', ...rest] = text.split('/')
  const address = parseAddress(left)
  if (!address || rest.length > 0 || !/^\d{1,3}$/.test(right)) return undefined
  const prefix = Number(right)
  return prefix > bitsOf(address.family) ? undefined : { ...address, prefix }
}

export function formatBlock(block: Block): string {
  return `${formatAddress(block)}/${block.prefix}`
}

/** The block without host bits. */
export function networkOf(block: Block): Block {
  return { ...block, value: block.value & ~hostBits(block) }
}

/** The last address of a block; of an IPv4 block the one that all listen to. */
export function lastOf(block: Block): Address {
  return { family: block.family, value: block.value | hostBits(block) }
}

export function contains(block: Block, address: Address): boolean {
  return block.family === address.family && ((block.value ^ address.value) & ~hostBits(block)) === 0n
}

export function overlaps(one: Block, other: Block): boolean {
  return contains(one.prefix <= other.prefix ? one : other, one.prefix <= other.prefix ? other : one)
}

/** In network byte order, 4 or 16 of them. */
export function addressBytes({ family, value }: Address): Buffer {
  const size = bitsOf(family) / 8
  return Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex')
}

export function addressOf(bytes: Uint8Array): Address {
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${Buffer.from(bytes).toString('hex')}`) }
}

/**
 * A container's MAC: locally administered, its last four bytes those of the address. Who has the address again has the
 * MAC again, so that no neighbour remembers a wrong one.
 */
export function macOf(address: Address): string {
  const bytes = [0x02, 0x42, ...addressBytes(address).subarray(-4)]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function hostBits(block: Block): bigint {
  return (1n << BigInt(bitsOf(block.family) - block.prefix)) - 1n
}
