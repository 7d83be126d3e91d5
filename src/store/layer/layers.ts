import { TAR_RULES } from '#archive'
import { type Bytes, createSingleFlight, notFound } from '#base'
import type { Lane } from '#kernel'
import { type ChainId, type Descriptor, type DiffId, type Digest, chainId, parseDiffId } from '#oci'
import type { Lease } from '#store/lease'
import type { FrozenSnapshot, SealedSnapshot, SnapshotId } from '#store/snapshot'
import type { ChangesInput, CompareInput, DiffInput, OriginsInput, TarFacts } from './jobs.ts'
import { readLines } from './lines.ts'
import { createApplier, unlessCancelled } from './apply.ts'
import { layerTar, packLayer } from './pack.ts'
import { layerRecords } from './records.ts'
import type {
  ComparedStacks,
  LayerChanges,
  LayerFacts,
  LayerForm,
  LayerOptions,
  LayerRecord,
  Layers,
  PathChange,
  PathOrigin,
  TreeDifference,
} from './types.ts'

/** The store's layers: blobs applied to snapshots, trees made into layers and packed when somebody needs the blob. */
export function createLayers(options: LayerOptions): Layers {
  return new LayerStore(options)
}

class LayerStore implements Layers {
  readonly #options: LayerOptions
  readonly #records
  readonly #applier
  readonly #packing = createSingleFlight<Descriptor>()

  constructor(options: LayerOptions) {
    this.#options = options
    this.#records = layerRecords(options.database)
    this.#applier = createApplier(options, this.#records)
  }

  async apply(...[layer, diffId, parent, lease, signal]: Parameters<Layers['apply']>): Promise<SealedSnapshot> {
    const chain = chainId(parent?.chain, diffId)
    // by its name first, so that no collection takes it between looking and holding
    lease.hold({ kind: 'snapshot', id: chain }, { kind: 'blob', id: layer.digest })
    const sealed = await unlessCancelled(signal, async () => {
      const known = await this.#options.snapshots.find(chain)
      return known ?? this.#applier.apply({ layer, diffId, chain, parent, lease, signal })
    })
    lease.hold({ kind: 'snapshot', id: sealed.id })
    if (await this.#options.content.find(layer.digest)) this.#records.addBlob(diffId, layer)
    return sealed
  }

  async unpack(...[layer, diffId, lease, options = {}]: Parameters<Layers['unpack']>): Promise<AsyncDisposable> {
    lease.hold({ kind: 'blob', id: layer.digest })
    return this.#applier.unpack(layer, diffId, lease, options)
  }

  async diff(...[frozen, , options = {}]: Parameters<Layers['diff']>): Promise<LayerFacts> {
    const { upper, parent } = frozen
    const { signal, claim } = options
    const { jobs, snapshots } = this.#options
    const below = parent === undefined ? undefined : (await snapshots.get(parent)).upper
    const facts = await jobs.run<DiffInput, TarFacts>('layer.diff', { upper, below, claim }, signal ? { signal } : {})
    return { ...facts, diffId: parseDiffId(facts.diffId) }
  }

  async adopt(frozen: FrozenSnapshot, parent: ChainId | undefined, layer: LayerFacts): Promise<SealedSnapshot> {
    const chain = chainId(parent, layer.diffId)
    const sealed = await this.#options.snapshots.seal(frozen, chain)
    this.#records.add({ ...layer, chain, snapshot: sealed.id, rules: TAR_RULES })
    return sealed
  }

  async restore(diffIds: readonly DiffId[], lease: Lease, signal?: AbortSignal): Promise<SealedSnapshot | undefined> {
    let parent: SealedSnapshot | undefined
    for (const diffId of diffIds) {
      const known: SealedSnapshot | undefined = await this.#options.snapshots.find(chainId(parent?.chain, diffId))
      const blob = known ? undefined : await this.#presentBlob(diffId)
      if (!known && !blob) return undefined
      parent = known ?? (blob && (await this.apply(blob, diffId, parent, lease, signal)))
    }
    return parent
  }

  async find(chain: ChainId): Promise<LayerRecord | undefined> {
    return this.#records.find(chain)
  }

  async facts(chain: ChainId): Promise<LayerFacts | undefined> {
    return this.#records.facts(chain)
  }

  async list(): Promise<readonly LayerRecord[]> {
    return this.#records.list()
  }

  async sizes(): Promise<ReadonlyMap<ChainId, number>> {
    return this.#records.sizes()
  }

  async pack(layer: LayerRecord, form: LayerForm, lease: Lease, signal?: AbortSignal): Promise<Descriptor> {
    lease.hold({ kind: 'snapshot', id: layer.snapshot })
    const key = `${layer.diffId} ${form}`
    const blob = await unlessCancelled(signal, () =>
      this.#packing.run(key, () => packLayer(this.#options, layer, { form, lease, signal })),
    )
    lease.hold({ kind: 'blob', id: blob.digest })
    this.#records.addBlob(layer.diffId, blob)
    return blob
  }

  forgetBlob(digest: Digest): void {
    this.#records.removeBlob(digest)
  }

  tar(layer: LayerRecord, signal?: AbortSignal): Bytes {
    return layerTar(this.#options, layer, signal)
  }

  async changes(upper: string, parent: SnapshotId | undefined): Promise<readonly PathChange[]> {
    const input: ChangesInput = { upper, lowers: await this.#lowers(parent) }
    return this.#options.jobs.run<ChangesInput, readonly PathChange[]>('layer.changes', input, { lane: 'short' })
  }

  async count(chain: ChainId): Promise<LayerChanges> {
    const known = this.#records.findChanges(chain)
    if (known) return known
    const sealed = await this.#options.snapshots.find(chain)
    const counts = { added: 0, changed: 0, removed: 0 }
    if (!sealed) return counts
    for (const { kind } of await this.changes(sealed.upper, sealed.parent)) counts[kind] += 1
    this.#records.saveChanges(chain, counts)
    return counts
  }

  async *compare({ before, after, times }: ComparedStacks, signal?: AbortSignal): AsyncIterable<TreeDifference> {
    const stacks = { before: await this.#stackOf(before), after: await this.#stackOf(after), times }
    yield* readLines<TreeDifference>((fd) =>
      this.#options.jobs.run<CompareInput, void>('layer.compare', { ...stacks, to: { fd } }, streaming(signal)),
    )
  }

  async *origins(
    chain: ChainId | undefined,
    paths: readonly string[],
    signal?: AbortSignal,
  ): AsyncIterable<PathOrigin> {
    const roots = (await this.#stackOf(chain)).toReversed()
    yield* readLines<PathOrigin>((fd) =>
      this.#options.jobs.run<OriginsInput, void>('layer.origins', { roots, paths, to: { fd } }, streaming(signal)),
    )
  }

  /** Folders of a stack, topmost first. */
  async #stackOf(chain: ChainId | undefined): Promise<readonly string[]> {
    if (chain === undefined) return []
    const sealed = await this.#options.snapshots.find(chain)
    if (!sealed) throw notFound('layer', chain)
    return this.#lowers(sealed.id)
  }

  async #presentBlob(diffId: DiffId): Promise<Descriptor | undefined> {
    for (const blob of this.#records.blobsOf(diffId)) {
      if (await this.#options.content.find(blob.digest)) return blob
    }
    return undefined
  }

  async #lowers(parent: SnapshotId | undefined): Promise<readonly string[]> {
    return parent === undefined ? [] : this.#options.snapshots.lowers(parent)
  }
}

function streaming(signal: AbortSignal | undefined): { readonly lane: Lane; readonly signal?: AbortSignal } {
  return { lane: 'stream', ...(signal && { signal }) }
}
