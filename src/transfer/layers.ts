import { abbreviate, throwIfCancelled } from '#base'
import { chainIds, type ChainId, type Descriptor, type DiffId } from '#oci'
import type { SealedSnapshot } from '#store/snapshot'
import type { TransferContext } from './context.ts'
import type { DownloadRequest } from './download.ts'

/**
 * Fetches the layers that are not unpacked here, several at a time, and unpacks each as soon as it and all below it
 * are there. The lease holds everything on the way.
 */
export async function pullLayers(
  context: TransferContext,
  layers: readonly Descriptor[],
  diffIds: readonly DiffId[],
  request: DownloadRequest,
): Promise<void> {
  const stack = await findStack(context, diffIds, request)
  for (const layer of layers) {
    const status = layers.indexOf(layer) < stack.height ? 'Already exists' : 'Pulling fs layer'
    request.progress({ id: abbreviate(layer.digest), status })
  }
  const missing = layers.slice(stack.height)
  const failed = new AbortController()
  const signal = request.signal ? AbortSignal.any([request.signal, failed.signal]) : failed.signal
  const arrivals = missing.map((layer) => context.downloads.fetch(layer, { ...request, signal }))
  // The first failure ends all; its siblings' ends are awaited so that nothing goes on behind the caller's back.
  const settled = Promise.allSettled(arrivals)
  try {
    let parent = stack.top
    for (const [index, layer] of missing.entries()) {
      await Promise.race([arrivals[index], firstFailure(arrivals)])
      parent = await applyLayer(context, layer, diffIds[stack.height + index], {
        parent,
        request: { ...request, signal },
      })
    }
  } catch (error) {
    failed.abort()
    throw error
  } finally {
    await settled
  }
}

/** Rejects with the first failure among them, else never ends. */
function firstFailure(arrivals: readonly Promise<void>[]): Promise<never> {
  return new Promise((_, reject) => arrivals.forEach((arrival) => void arrival.catch(reject)))
}

interface Stack {
  /** How many of the lowest layers are unpacked already. */
  readonly height: number
  readonly top: SealedSnapshot | undefined
}

/** A sealed chain stands on sealed chains: the topmost one that is here tells of all below it. */
async function findStack(
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

async function applyLayer(
  context: TransferContext,
  layer: Descriptor,
  diffId: DiffId | undefined,
  { parent, request }: { readonly parent: SealedSnapshot | undefined; readonly request: DownloadRequest },
): Promise<SealedSnapshot> {
  throwIfCancelled(request.signal, `unpacking of ${layer.digest}`)
  const id = abbreviate(layer.digest)
  request.progress({ id, status: 'Extracting', current: layer.size, total: layer.size })
  if (diffId === undefined) throw new RangeError('a layer has no diff id')
  const sealed = await context.layers.apply(layer, diffId, parent, request.lease, request.signal)
  request.progress({ id, status: 'Pull complete' })
  return sealed
}
