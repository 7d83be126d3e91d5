import { isKind, sleep } from '#base'
import type { Descriptor, Digest, Reference } from '#oci'
import type { Credentials, Registry } from '#registry'
import type { Lease } from '#store/lease'
import { SILENT, type TransferContext } from './context.ts'
import { createMeter, metered } from './meter.ts'
import { findMountSources } from './mount.ts'
import type { ProgressSink, PushCompression } from './types.ts'

/** One image on its way to one name. */
export interface Push {
  readonly context: TransferContext
  readonly name: Reference
  readonly registry: Registry
  /** For the registry; it may also be where the image came from. */
  readonly credentials: Credentials | undefined
  readonly lease: Lease
  readonly progress: ProgressSink
  readonly compression: PushCompression | undefined
  readonly signal: AbortSignal | undefined
}

/** Brings a blob into the repository; nothing is told of one without an id. */
export type Upload = (blob: Descriptor, id?: string) => Promise<void>

/** Each blob goes once, however often the image has it. */
export function createUpload(push: Push): Upload {
  const sources = findMountSources(push.context, push.name)
  const sent = new Map<Digest, Promise<void>>()
  return (blob, id) => {
    const work = sent.get(blob.digest) ?? pushBlob(push, blob, { id, sources })
    sent.set(blob.digest, work)
    return work
  }
}

interface BlobFacts {
  /** Absent for the config, of which nothing is told. */
  readonly id: string | undefined
  /** Repositories of the same registry that may have the blob. */
  readonly sources: (blob: Digest) => Promise<readonly string[]>
}

function pushBlob(push: Push, blob: Descriptor, { id, sources }: BlobFacts): Promise<void> {
  const { context, name, registry, progress, signal } = push
  const say = (status: string): void => {
    if (id !== undefined) progress({ id, status })
  }
  return context.uploads.run(async () => {
    if (await registry.hasBlob(name.path, blob.digest, signal)) return say('Layer already exists')
    const [mountFrom] = await sources(blob.digest)
    const outcome = await upload(push, blob, { id, mountFrom })
    say(outcome === 'mounted' ? `Mounted from ${mountFrom ?? ''}` : 'Pushed')
  }, signal)
}

async function upload(
  { context, name, registry, progress, signal }: Push,
  blob: Descriptor,
  { id, mountFrom }: { readonly id: string | undefined; readonly mountFrom: string | undefined },
): Promise<'uploaded' | 'mounted'> {
  const { attempts, delay } = context.limits
  const report: ProgressSink = id === undefined ? SILENT : progress
  const bytes = () => {
    const meter = createMeter(context.clock, report, { id: id ?? '', status: 'Pushing', total: blob.size })
    return metered(context.content.read(blob.digest), meter)
  }
  const options = { ...(mountFrom !== undefined && { mountFrom }), ...(signal && { signal }) }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await registry.putBlob(name.path, blob, bytes, options)
    } catch (error) {
      if (!isKind(error, 'unavailable') || attempt >= attempts) throw error
      await sleep(delay * 2 ** (attempt - 1), signal)
    }
  }
}
