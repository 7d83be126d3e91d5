import { invalid } from '#base'
import { type Block, networkOf, overlaps, parseBlock, readBlock } from '#network/link'

/** A block from which networks are cut. */
export interface AddressPool {
  readonly base: Block
  /** Length of the blocks that are cut out of it. */
  readonly size: number
}

/** «base=10.10.0.0/16,size=24», as dockerd takes it. Throws `invalid`. */
export function parsePool(text: string): AddressPool {
  const fields = new Map(text.split(',').map((word) => [word.split('=')[0], word.slice(word.indexOf('=') + 1)]))
  const [base, size] = [readBlock(fields.get('base') ?? ''), Number(fields.get('size'))]
  const last = base?.family === 4 ? 32 : 128
  if (!base || fields.size !== 2 || !Number.isInteger(size) || size < base.prefix || size > last)
    throw invalid(`cannot use --default-address-pool ${text}: write it as base=10.10.0.0/16,size=24`)
  return { base: networkOf(base), size }
}

function poolsOf(...texts: readonly (readonly [string, number])[]): readonly AddressPool[] {
  return texts.map(([base, size]) => ({ base: parseBlock(base), size }))
}

/**
 * Blocks in order of preference: those that Docker takes last, since it may be installed later, then smaller ones. All
 * are taken from their ends.
 */
const USUAL: readonly AddressPool[] = poolsOf(
  ...Array.from({ length: 14 }, (_, index) => [`172.${30 - index}.0.0/16`, 16] as const),
  ...Array.from({ length: 16 }, (_, index) => [`192.168.${240 - index * 16}.0/20`, 20] as const),
  ...Array.from({ length: 64 }, (_, index) => [`10.${250 - index}.0.0/16`, 16] as const),
)

/** The first IPv4 block that overlaps none in use; undefined where there is none. `pools` go before the usual ones' place. */
export function chooseBlock(used: readonly Block[], pools?: readonly AddressPool[]): Block | undefined {
  const own = pools?.filter(({ base }) => base.family === 4) ?? []
  return firstFree(used, own.length > 0 ? own : USUAL)
}

/** A block of 64 bits: of the pools, else of a unique local prefix (RFC 4193) made of `random` bytes, of which it takes five. */
export function chooseBlock6(
  used: readonly Block[],
  random: Uint8Array,
  pools?: readonly AddressPool[],
): Block | undefined {
  const own = pools?.filter(({ base }) => base.family === 6) ?? []
  const prefix = BigInt(`0xfd${Buffer.from(random.subarray(0, 5)).toString('hex')}`) << 80n
  const local: AddressPool = { base: { family: 6, value: prefix, prefix: 48 }, size: 64 }
  return firstFree(used, own.length > 0 ? own : [local])
}

function firstFree(used: readonly Block[], pools: readonly AddressPool[]): Block | undefined {
  for (const { base, size } of pools) {
    const near = used.filter((block) => overlaps(base, block))
    for (const block of cuts(base, size)) if (!near.some((one) => overlaps(block, one))) return block
  }
  return undefined
}

function* cuts(base: Block, size: number): Iterable<Block> {
  const step = 1n << BigInt((base.family === 4 ? 32 : 128) - size)
  const first = networkOf(base).value
  const count = 1n << BigInt(size - base.prefix)
  for (let index = 0n; index < count; index += 1n)
    yield { family: base.family, value: first + index * step, prefix: size }
}
