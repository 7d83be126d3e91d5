import { existsSync } from 'node:fs'
import type { Descriptor, Digest } from '#oci'
import { isKind, messageOf, shortId } from '#base'
import type { Lease } from '#store/lease'
import type { FrozenSnapshot, TreeComparison } from '#store/snapshot'
import type { LayerTree } from './diff.ts'
import type { ApplyInput, TarFacts } from './jobs.ts'
import { withTar } from './tar-source.ts'
import type { LayerOptions, LayerRecord } from './types.ts'

export interface VerifyOptions {
  readonly lease: Lease
  /** Blobs whose bytes are known to be right: others are not compared with. */
  readonly isSound: (digest: Digest) => boolean
  /** A damaged tree, which must be marked, is replaced by the one that its blob gives. */
  readonly mend: boolean
  readonly signal?: AbortSignal | undefined
}

export type LayerState =
  | { readonly kind: 'whole'; readonly bytes: number }
  /** `mended`: it was replaced, and is whole now. */
  | { readonly kind: 'damaged'; readonly why: string; readonly mended: boolean }
  /** There is nothing that the tree could be compared with. */
  | { readonly kind: 'unproven'; readonly why: string }

/** Compares trees with what they were made of. */
export interface LayerVerifier {
  /**
   * A layer made here must give its diff id again when it is packed; one that came as a blob must be what unpacking this
   * blob gives. Costs the reading of the tree, and for blobs the disk that the layer takes, for that long.
   */
  verify(layer: LayerRecord, options: VerifyOptions): Promise<LayerState>
}

export function createLayerVerifier(options: LayerOptions): LayerVerifier {
  return { verify: (layer, how) => verifyLayer(options, layer, how) }
}

async function verifyLayer(options: LayerOptions, layer: LayerRecord, how: VerifyOptions): Promise<LayerState> {
  how.lease.hold({ kind: 'snapshot', id: layer.snapshot })
  if (!(await standsOnFolder(options, layer))) return { kind: 'unproven', why: 'what it stands on is missing' }
  const blob = await findSound(options, layer, how)
  if (layer.rules === undefined && blob) return compareWithBlob(options, layer, { ...how, blob })
  const tree = await hashTree(options, layer, how.signal)
  if (tree.diffId === layer.diffId) return { kind: 'whole', bytes: tree.bytes }
  if (blob) {
    const state = await compareWithBlob(options, layer, { ...how, blob })
    return state.kind === 'whole' ? { kind: 'damaged', why: tree.why, mended: false } : state
  }
  if (layer.rules !== undefined) return { kind: 'damaged', why: tree.why, mended: false }
  return { kind: 'unproven', why: 'the blob that it came as is not there' }
}

async function standsOnFolder({ snapshots }: LayerOptions, { snapshot }: LayerRecord): Promise<boolean> {
  const { parent } = await snapshots.get(snapshot)
  return parent === undefined || existsSync((await snapshots.get(parent)).upper)
}

async function findSound(
  { content }: LayerOptions,
  { blobs }: LayerRecord,
  { isSound }: VerifyOptions,
): Promise<Descriptor | undefined> {
  for (const blob of blobs) if (isSound(blob.digest) && (await content.find(blob.digest))) return blob
  return undefined
}

interface HashedTree {
  /** Undefined where it cannot be packed. */
  readonly diffId?: string
  readonly bytes: number
  readonly why: string
}

async function hashTree(
  { snapshots, jobs }: LayerOptions,
  { snapshot }: LayerRecord,
  signal?: AbortSignal,
): Promise<HashedTree> {
  const { upper, parent } = await snapshots.get(snapshot)
  const below = parent === undefined ? undefined : (await snapshots.get(parent)).upper
  try {
    const facts = await jobs.run<LayerTree, TarFacts>('layer.diff', { upper, below }, signal ? { signal } : {})
    return { diffId: facts.diffId, bytes: facts.content, why: `its files give ${facts.diffId} now` }
  } catch (error) {
    if (isKind(error, 'cancelled')) throw error
    return { bytes: 0, why: `its files cannot be read: ${messageOf(error)}` }
  }
}

async function compareWithBlob(
  options: LayerOptions,
  layer: LayerRecord,
  how: VerifyOptions & { readonly blob: Descriptor },
): Promise<LayerState> {
  const { snapshots, jobs } = options
  const actual = await snapshots.get(layer.snapshot)
  const key = `check ${layer.chain} ${shortId()}`
  const active = await snapshots.prepare(key, actual.parent, how.lease, { onDamaged: true })
  let frozen: FrozenSnapshot | undefined
  try {
    await unpack(options, layer, { ...how, upper: active.upper, parent: actual.parent })
    const trees = { expected: active.upper, actual: actual.upper }
    const signal = how.signal ? { signal: how.signal } : {}
    const found = await jobs.run<typeof trees, TreeComparison>('tree.compare', trees, signal)
    if (found.count === 0) return { kind: 'whole', bytes: found.bytes }
    if (how.mend) {
      frozen = await active.freeze()
      await snapshots.seal(frozen, layer.chain)
    }
    return { kind: 'damaged', why: textOf(found), mended: how.mend }
  } finally {
    if (!frozen) await snapshots.remove(key)
  }
}

interface Unpacking {
  readonly blob: Descriptor
  readonly upper: string
  readonly parent: FrozenSnapshot['parent']
  readonly signal?: AbortSignal | undefined
}

async function unpack(
  options: LayerOptions,
  { diffId }: LayerRecord,
  { blob, upper, parent, signal }: Unpacking,
): Promise<void> {
  const { snapshots, jobs } = options
  const lowers = parent === undefined ? [] : await snapshots.lowers(parent, { onDamaged: true })
  const use = (tar: ApplyInput['tar']): Promise<TarFacts> =>
    jobs.run<ApplyInput, TarFacts>('layer.apply', { tar, upper, lowers, diffId }, signal ? { signal } : {})
  await withTar(options, { digest: blob.digest, isVerified: false }, use, signal)
}

/** The first difference that says most, and how many there are. */
function textOf({ differences, count }: TreeComparison): string {
  const [first] = differences
  const path = `/${Buffer.from(first?.path ?? '', 'latin1').toString('utf8')}`
  const others = count > 1 ? `, and ${count - 1} more` : ''
  return `${path} ${first?.what ?? ''}${others}`
}
