import { createLimiter, createSingleFlight, isKind, shortId } from '#base'
import { type ChainId, type Descriptor, type DiffId } from '#oci'
import type { Lease } from '#store/lease'
import type { ActiveSnapshot, SealedSnapshot, SnapshotId } from '#store/snapshot'
import type { ApplyFacts, ApplyInput } from './jobs.ts'
import type { PlaceInput } from './place.ts'
import type { LayerRecords } from './records.ts'
import { type TarBytes, withTar } from './tar-source.ts'
import { type TreeClaim, type UnpackedTree, createUnpackedTrees } from './trees.ts'
import type { LayerOptions, Layers, UnpackOptions } from './types.ts'

interface Applying {
  readonly layer: Descriptor
  readonly diffId: DiffId
  readonly chain: ChainId
  readonly parent: SealedSnapshot | undefined
  readonly lease: Lease
  readonly signal: AbortSignal | undefined
}

/** Layers become sealed snapshots: each is unpacked by itself, then placed on its parent. */
export function createApplier(
  options: LayerOptions,
  records: LayerRecords,
): Pick<Layers, 'unpack'> & { apply(applying: Applying): Promise<SealedSnapshot> } {
  return new Applier(options, records)
}

class Applier {
  readonly #options: LayerOptions
  readonly #records: LayerRecords
  readonly #trees = createUnpackedTrees()
  /** Blobs that are decompressed at once: more would only wait for a thread. */
  readonly #slots = createLimiter(3)
  readonly #flights = createSingleFlight<SealedSnapshot>()

  constructor(options: LayerOptions, records: LayerRecords) {
    this.#options = options
    this.#records = records
  }

  /** One at a time for each chain. */
  apply(applying: Applying): Promise<SealedSnapshot> {
    return this.#flights.run(applying.chain, () => this.#apply(applying))
  }

  async unpack(
    layer: Descriptor,
    expected: DiffId,
    lease: Lease,
    { signal, bytes, isVerified = false }: UnpackOptions = {},
  ): Promise<TreeClaim> {
    for (;;) {
      const claim = await this.#trees.claim(expected, lease, {
        prepare: () => this.#options.snapshots.prepare(`tree ${expected} ${shortId()}`, undefined, lease),
        unpack: (active, stop) =>
          this.#fill(active, bytes ?? { digest: layer.digest, isVerified }, {
            diffId: expected,
            lowers: undefined,
            signal: stop,
          }),
        remove: ({ key }) => this.#options.snapshots.remove(key),
      })
      try {
        await claim.landed(signal)
        return claim
      } catch (error) {
        await claim[Symbol.asyncDispose]()
        // another caller's bytes may be bad where this one's are not
        if (claim.isFirst || signal?.aborted === true) throw error
      }
    }
  }

  async #apply(applying: Applying): Promise<SealedSnapshot> {
    const { layer, diffId, chain, parent, lease, signal } = applying
    for (;;) {
      await using claim = await this.unpack(layer, diffId, lease, signal ? { signal } : {})
      const tree = claim.take()
      if (!tree) continue
      const placed = await this.#place(applying, tree)
      if (!placed) break
      return this.#seal({ chain, diffId }, placed, tree.facts)
    }
    const active = await this.#options.snapshots.prepare(`layer ${chain} ${shortId()}`, parent?.id, lease)
    return this.#orRemove(active, async () => {
      const lowers = await this.#lowers(parent?.id)
      const facts = await this.#fill(active, { digest: layer.digest, isVerified: false }, { diffId, lowers, signal })
      return this.#seal({ chain, diffId }, active, facts)
    })
  }

  /** Undefined where the tree cannot be used on this parent; then it is gone. */
  async #place({ parent, lease }: Applying, { active, facts }: UnpackedTree): Promise<ActiveSnapshot | undefined> {
    const { snapshots, jobs } = this.#options
    const { assumed, disturbed, isRefused, rootIsOpaque, rootIsDescribed } = facts.ends
    if (!parent && !isRefused) return active
    return this.#orRemove(active, async () => {
      const lowers = await this.#lowers(parent?.id)
      const input: PlaceInput = { upper: active.upper, lowers, ends: facts.ends }
      const isEasy = assumed.length === 0 && !disturbed && !rootIsOpaque
      const fits = parent && !isRefused && (isEasy || (await jobs.run<PlaceInput, boolean>('layer.place', input)))
      if (fits) return snapshots.place(active.key, parent.id, lease, { keepRoot: rootIsDescribed })
      await snapshots.remove(active.key)
      return undefined
    })
  }

  async #seal(
    { chain, diffId }: Pick<Applying, 'chain' | 'diffId'>,
    active: ActiveSnapshot,
    { size, content }: ApplyFacts,
  ): Promise<SealedSnapshot> {
    return this.#orRemove(active, async () => {
      const sealed = await this.#options.snapshots.seal(await active.freeze(), chain)
      this.#records.add({ size, content, chain, diffId, snapshot: sealed.id })
      return sealed
    })
  }

  #fill(
    { upper }: ActiveSnapshot,
    from: TarBytes,
    how: {
      readonly diffId: DiffId
      readonly lowers: readonly string[] | undefined
      readonly signal: AbortSignal | undefined
    },
  ): Promise<ApplyFacts> {
    const { diffId, lowers, signal } = how
    const to = { upper, diffId, ...(lowers && { lowers }) }
    // what comes from outside may stand still: it takes no thread from other work
    const lane = 'digest' in from ? {} : ({ lane: 'stream' } as const)
    const use = (tar: ApplyInput['tar']): Promise<ApplyFacts> =>
      this.#options.jobs.run<ApplyInput, ApplyFacts>(
        'layer.apply',
        { tar, ...to },
        { ...lane, ...(signal && { signal }) },
      )
    const work = (): Promise<ApplyFacts> => withTar(this.#options, from, use, signal)
    return 'digest' in from ? this.#slots.run(work, signal) : work()
  }

  async #orRemove<T>({ key }: ActiveSnapshot, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      await this.#options.snapshots.remove(key)
      throw error
    }
  }

  async #lowers(parent: SnapshotId | undefined): Promise<readonly string[]> {
    return parent === undefined ? [] : this.#options.snapshots.lowers(parent)
  }
}

/** So often work is begun anew that was shared with a caller who then was cancelled. */
const MAX_RETRIES = 10

export async function unlessCancelled<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await work()
    } catch (error) {
      if (!isKind(error, 'cancelled') || signal?.aborted === true || retries === MAX_RETRIES) throw error
    }
  }
}
