import { createHash } from 'node:crypto'
import { invalid } from '#base'
import type { ChainId, Digest, DiffId, ImageId } from './types.ts'

const SHA256 = /^sha256:[0-9a-f]{64}$/
const ALGORITHM = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:/

/** `sha256:` and 64 lower-case hex digits (image-spec, descriptor.md «Digests»); `invalid` for any other text. */
export function parseDigest(text: string): Digest {
  checkDigest(text)
  return text as Digest
}

/** As `parseDigest`, for the digest of an uncompressed layer. */
export function parseDiffId(text: string): DiffId {
  checkDigest(text)
  return text as DiffId
}

/** As `parseDigest`, for the name of a stack of layers. */
export function parseChainId(text: string): ChainId {
  checkDigest(text)
  return text as ChainId
}

/** As `parseDigest`, for an image's id with its `sha256:`. */
export function parseImageId(text: string): ImageId {
  checkDigest(text)
  return text as ImageId
}

/** True where `parseDigest` would accept the text. */
export function isDigest(text: string): boolean {
  return SHA256.test(text)
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest
}

/** The diff id of a tar that is in memory. */
export function diffIdOf(tar: Uint8Array): DiffId {
  return digestOf(tar) as string as DiffId
}

/** The id of the image that these config bytes are. */
export function imageIdOf(config: Uint8Array): ImageId {
  return digestOf(config) as string as ImageId
}

/** The blob that an image's config is. */
export function configDigest(id: ImageId): Digest {
  return id as string as Digest
}

/** The 64 hex digits without `sha256:`. */
export function hexOf(digest: Digest | DiffId | ChainId | ImageId): string {
  return digest.slice('sha256:'.length)
}

/** The name of one more layer on a stack (image-spec, config.md «Layer ChainID»): the first layer's is its diff id. */
export function chainId(parent: ChainId | undefined, diffId: DiffId): ChainId {
  if (parent === undefined) return diffId as string as ChainId
  return digestOf(`${parent} ${diffId}`) as string as ChainId
}

/** The chain id of each prefix of the stack, bottom first. */
export function chainIds(diffIds: readonly DiffId[]): readonly ChainId[] {
  const chains: ChainId[] = []
  for (const diffId of diffIds) chains.push(chainId(chains.at(-1), diffId))
  return chains
}

function checkDigest(text: string): void {
  if (SHA256.test(text)) return
  if (!ALGORITHM.test(text)) throw invalid(`invalid checksum digest format: ${JSON.stringify(text.slice(0, 100))}`)
  if (!text.startsWith('sha256:')) throw invalid('unsupported digest algorithm')
  throw invalid(text.length === 71 ? 'invalid checksum digest format' : 'invalid checksum digest length')
}
