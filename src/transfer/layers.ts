import { abbreviate, throwIfCancelled } from '#base'
import { chainIds, type ChainId, type Descriptor, type DiffId } from '#oci'
import type { Lease } from '#store/lease'
import type { SealedSnapshot } from '#store/snapshot'
import type { TransferContext } from './context.ts'
import type { DownloadRequest } from './download.ts'

/**
 * Fetches the layers that are not unpacked here, several at a time; each is unpacked by itself while it comes, and put in
 * its place as soon as all below it are there. The lease holds everything on the way.
 */
export async function pullLayers(
  context: TransferContext,
  layers: readonly Descriptor[],
  diffIds: readonly DiffId[],
  request: DownloadRequest,
): Promise<void> {
  const stack = await findStack(context, diffIds, request)
  for (const [index, layer] of layers.entries()) {
    const status = index < stack.height ? 'Already exists' : 'Pulling fs layer'
    request.progress({ id: abbreviate(layer.digest), status })
  }
  const missing = layersOf(layers, diffIds).slice(stack.height)
  await stackUp(context, missing, {
    ...request,
    parent: stack.top,
    bring: (layer, signal) => bring(context, layer, { ...request, signal }),
    placed: ({ descriptor }) => request.progress({ id: abbreviate(descriptor.digest), status: 'Pull complete' }),
  })
}

export interface StackRequest {
  /** What the lowest of them stands on. */
  readonly parent: SealedSnapshot | undefined
  readonly lease: Lease
  readonly signal?: AbortSignal | undefined
  /** Called for all layers at once: unpacks one; what it gives is disposed of at the end. */
  readonly bring: (layer: Layer, signal: AbortSignal) => Promise<AsyncDisposable | undefined>
  readonly placed: (layer: Layer) => void
}

/** Brings layers beside each other and puts each in its place as soon as it and all below it are there. */
export async function stackUp(
  context: Pick<TransferContext, 'layers'>,
  missing: readonly Layer[],
  { lease, bring: bringOne, placed, ...request }: StackRequest,
): Promise<void> {
  const failed = new AbortController()
  const signal = request.signal ? AbortSignal.any([request.signal, failed.signal]) : failed.signal
  const arrivals = missing.map((layer) => bringOne(layer, signal))
  // The first failure ends all; its siblings' ends are awaited so that nothing goes on behind the caller's back.
  const settled = Promise.allSettled(arrivals)
  try {
    let parent = request.parent
    for (const [index, layer] of missing.entries()) {
      await Promise.race([arrivals[index], firstFailure(arrivals)])
      throwIfCancelled(signal, `unpacking of ${layer.descriptor.digest}`)
      parent = await context.layers.apply(layer.descriptor, layer.diffId, parent, lease, signal)
      placed(layer)
    }
  } catch (error) {
    failed.abort()
    throw error
  } finally {
    await disposeAll(await settled)
  }
}

export interface Layer {
  readonly descriptor: Descriptor
  readonly diffId: DiffId
  readonly chain: ChainId
}

/** Layers with their diff ids, as many as there are layers. */
export function layersOf(layers: readonly Descriptor[], diffIds: readonly DiffId[]): readonly Layer[] {
  const chains = chainIds(diffIds)
  return layers.map((descriptor, index) => {
    const [diffId, chain] = [diffIds[index], chains[index]]
    if (diffId === undefined || chain === undefined) throw new RangeError('a layer has no diff id')
    return { descriptor, diffId, chain }
  })
}

/** Downloads a layer and unpacks it meanwhile; what it gives is to be disposed of once the layer is applied. */
async function bring(
  context: TransferContext,
  { descriptor, diffId, chain }: Layer,
  request: DownloadRequest & { readonly signal: AbortSignal },
): Promise<AsyncDisposable | undefined> {
  const { lease, signal, progress } = request
  const { downloads, followers, layers, snapshots } = context
  let unpacking: Promise<AsyncDisposable | undefined> = Promise.resolve(undefined)
  try {
    await downloads.fetch(descriptor, {
      ...request,
      async follow(bytes) {
        const before = unpacking
        // bytes that turn out to be wrong are told by the download; what is unpacked anew says the rest
        unpacking = followers
          .tryRun(() => layers.unpack(descriptor, diffId, lease, { signal, bytes }))
          .catch(() => undefined)
        await Promise.all([before.then(dispose), unpacking])
      },
    })
  } catch (error) {
    await dispose(await unpacking)
    throw error
  }
  const { size } = descriptor
  progress({ id: abbreviate(descriptor.digest), status: 'Extracting', current: size, total: size })
  const tree = await unpacking
  if (tree || (await snapshots.find(chain))) return tree
  return layers.unpack(descriptor, diffId, lease, { signal, isVerified: true })
}

async function dispose(tree: AsyncDisposable | undefined): Promise<void> {
  await tree?.[Symbol.asyncDispose]()
}

async function disposeAll(outcomes: readonly PromiseSettledResult<AsyncDisposable | undefined>[]): Promise<void> {
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') await dispose(outcome.value)
}

/** Rejects with the first failure among them, else never ends. */
function firstFailure(arrivals: readonly Promise<unknown>[]): Promise<never> {
  return new Promise((_, reject) => arrivals.forEach((arrival) => void arrival.catch(reject)))
}

export interface Stack {
  /** How many of the lowest layers are unpacked already. */
  readonly height: number
  readonly top: SealedSnapshot | undefined
}

/** A sealed chain stands on sealed chains: the topmost one that is here tells of all below it. */
export async function findStack(
  { snapshots }: TransferContext,
  diffIds: readonly DiffId[],
  { lease }: Pick<DownloadRequest, 'lease'>,
): Promise<Stack> {
  const chains = chainIds(diffIds)
  for (let height = chains.length; height > 0; height -= 1) {
    const chain = chains[height - 1]
    const top = chain && (await findHeld(snapshots, chain, lease))
    if (top) return { height, top }
  }
  return { height: 0, top: undefined }
}

/** Held first, found then: what is found stays. */
async function findHeld(
  snapshots: TransferContext['snapshots'],
  chain: ChainId,
  lease: DownloadRequest['lease'],
): Promise<SealedSnapshot | undefined> {
  const resource = { kind: 'snapshot', id: chain } as const
  lease.hold(resource)
  return snapshots.find(chain)
}
