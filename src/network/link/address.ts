import { invalid } from '#base'

/** An IPv4 address block; the address keeps its host bits («172.30.0.1/16»). */
export interface Block {
  /** 32 bits, unsigned. */
  readonly address: number
  readonly prefix: number
}

/** «a.b.c.d» as 32 bits; undefined for anything else. */
export function parseAddress(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  const bytes = match?.slice(1).map(Number) ?? []
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) return undefined
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** «a.b.c.d/n»; throws kind `invalid`. */
export function parseBlock(text: string): Block {
  const [left = '', right = '', ...rest] = text.split('/')
  const address = parseAddress(left)
  const prefix = /^\d{1,2}$/.test(right) ? Number(right) : 33
  if (address === undefined || prefix > 32 || rest.length > 0) throw invalid(`invalid CIDR address: ${text}`)
  return { address, prefix }
}

export function formatBlock(block: Block): string {
  return `${formatAddress(block.address)}/${block.prefix}`
}

/** The block without host bits. */
export function networkOf(block: Block): Block {
  return { address: (block.address & mask(block.prefix)) >>> 0, prefix: block.prefix }
}

/** The last address of a block. */
export function broadcastOf(block: Block): number {
  return (block.address | ~mask(block.prefix)) >>> 0
}

export function overlaps(one: Block, other: Block): boolean {
  const bits = mask(Math.min(one.prefix, other.prefix))
  return ((one.address ^ other.address) & bits) === 0
}

/** Docker's form of a container's MAC: locally administered, its last four bytes the address. */
export function macOf(address: number): string {
  const bytes = [0x02, 0x42, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** The lowest address of the block that is neither its first, its last, nor taken; undefined where it is full. */
export function freeAddress(block: Block, taken: ReadonlySet<number>): number | undefined {
  const last = broadcastOf(block)
  for (let address = networkOf(block).address + 1; address < last; address += 1) {
    if (!taken.has(address)) return address
  }
  return undefined
}

/**
 * Blocks for a default bridge in order of preference: those that Docker takes last, since it may be installed later,
 * then smaller ones.
 */
const CANDIDATES: readonly string[] = [
  ...Array.from({ length: 14 }, (_, index) => `172.${30 - index}.0.0/16`),
  ...Array.from({ length: 16 }, (_, index) => `192.168.${240 - index * 16}.0/20`),
  ...Array.from({ length: 64 }, (_, index) => `10.${250 - index}.0.0/16`),
]

/** The first candidate that overlaps no block in use; undefined where all do. */
export function chooseBlock(used: readonly Block[]): Block | undefined {
  return CANDIDATES.map(parseBlock).find((candidate) => !used.some((block) => overlaps(candidate, block)))
}

function mask(prefix: number): number {
  return prefix === 0 ? 0 : -1 << (32 - prefix)
}
