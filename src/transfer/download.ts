import {
  abbreviate,
  cancelled,
  createLimiter,
  isKind,
  sleep,
  throwIfCancelled,
  type Bytes,
  type Clock,
  type Limiter,
} from '#base'
import type { Descriptor } from '#oci'
import type { ContentStore, GrowingFile, Ingest } from '#store/content'
import type { Lease, Leases } from '#store/lease'
import { createMeter } from './meter.ts'
import type { ProgressSink, TransferLimits } from './types.ts'

/** Where a blob comes from: its bytes from an offset on (`Registry.blob` of one repository). */
export type BlobSource = (blob: Descriptor, from: number, signal: AbortSignal) => Bytes

export interface DownloadRequest {
  readonly source: BlobSource
  /** Holds the blob before it is there. */
  readonly lease: Lease
  readonly progress: ProgressSink
  readonly signal?: AbortSignal | undefined
  /**
   * Called with the bytes as they come by whoever begins the download, and again where it had to begin anew; the file is
   * open until what is given back has settled, whose failure is the callee's own matter.
   */
  readonly follow?: ((bytes: GrowingFile) => Promise<unknown>) | undefined
}

/** Blobs on their way into the store: limited in number, each digest once however many ask for it. */
export interface Downloads {
  /** Resolves once the blob is there, verified. Throws `corrupt` where the source has other bytes: nothing of them is kept. */
  fetch(blob: Descriptor, request: DownloadRequest): Promise<void>
}

export interface DownloadParts {
  readonly content: ContentStore
  readonly leases: Leases
  readonly clock: Clock
  readonly limits: TransferLimits
}

/** One download that several callers may wait for; it ends when the last of them leaves. */
interface Flight {
  readonly landed: Promise<void>
  readonly listeners: Set<ProgressSink>
  /** Ends it; resolves once nothing of it goes on. */
  stop(): Promise<void>
}

export function createDownloads(parts: DownloadParts): Downloads {
  const flights = new Map<string, Flight>()
  const limiter = createLimiter(parts.limits.downloads)
  return {
    async fetch(blob, { source, lease, progress, signal, follow }) {
      lease.hold({ kind: 'blob', id: blob.digest })
      while (!(await isHere(parts.content, blob))) {
        throwIfCancelled(signal, `download of ${blob.digest}`)
        const joined = flights.get(blob.digest)
        if (!joined) return join(start({ parts, flights, limiter }, blob, { source, follow }), progress, signal)
        // Another caller's source may fail where this one's does not.
        await join(joined, progress, signal).catch((error: unknown) => {
          if (signal?.aborted === true) throw error
        })
      }
      progress({ id: abbreviate(blob.digest), status: 'Download complete' })
    },
  }
}

async function isHere(content: ContentStore, blob: Descriptor): Promise<boolean> {
  return (await content.find(blob.digest)) !== undefined
}

interface Airfield {
  readonly parts: DownloadParts
  readonly flights: Map<string, Flight>
  readonly limiter: Limiter
}

function start(
  { parts, flights, limiter }: Airfield,
  blob: Descriptor,
  { source, follow }: Pick<DownloadRequest, 'source' | 'follow'>,
): Flight {
  const listeners = new Set<ProgressSink>()
  const controller = new AbortController()
  const { signal } = controller
  const report: ProgressSink = (progress) => listeners.forEach((listener) => listener(progress))
  const forget = (): void => {
    if (flights.get(blob.digest) === flight) flights.delete(blob.digest)
  }
  let running: Promise<void> | undefined
  const run = (): Promise<void> => (running = download(parts, blob, { source, report, signal, follow }).finally(forget))
  const landed = limiter.run(run, signal)
  // Whoever waits hears of a failure; when all have left nobody has to.
  landed.catch(forget)
  const flight: Flight = {
    landed,
    listeners,
    async stop() {
      forget()
      controller.abort()
      await running?.catch(() => undefined)
    },
  }
  flights.set(blob.digest, flight)
  return flight
}

async function join(flight: Flight, progress: ProgressSink, signal: AbortSignal | undefined): Promise<void> {
  const gone = Promise.withResolvers<never>()
  const leave = (): void => gone.reject(cancelled('download', signal?.reason))
  flight.listeners.add(progress)
  signal?.addEventListener('abort', leave, { once: true })
  if (signal?.aborted === true) leave()
  try {
    await Promise.race([flight.landed, gone.promise])
  } finally {
    signal?.removeEventListener('abort', leave)
    flight.listeners.delete(progress)
    if (flight.listeners.size === 0) await flight.stop()
  }
}

interface Attempt {
  readonly source: BlobSource
  readonly report: ProgressSink
  readonly signal: AbortSignal
  readonly follow: DownloadRequest['follow']
}

async function download(parts: DownloadParts, blob: Descriptor, attempt: Attempt): Promise<void> {
  await using lease = await parts.leases.open(`download ${blob.digest}`)
  try {
    await downloadOnce(parts, blob, { ...attempt, lease })
  } catch (error) {
    if (!(error instanceof ResumedBytesError)) throw error
    await downloadOnce(parts, blob, { ...attempt, lease })
  }
}

/** Bytes of an earlier try were wrong, or became so: what is fetched anew from the start decides. */
class ResumedBytesError extends Error {}

/** Continues what an earlier try left, repeats what was cut, and verifies the whole. */
async function downloadOnce(
  parts: DownloadParts,
  blob: Descriptor,
  { lease, ...attempt }: Attempt & { readonly lease: Lease },
): Promise<void> {
  const { digest, size } = blob
  const id = abbreviate(digest)
  await using ingest = await parts.content.begin(`blob ${digest}`, lease)
  const resumed = ingest.offset > 0
  if (ingest.offset > size) await ingest.reset()
  await offer(ingest, attempt.follow)
  await fill(parts, blob, ingest, attempt)
  attempt.report({ id, status: 'Verifying Checksum' })
  try {
    await ingest.commit({ digest, size })
  } catch (error) {
    if (resumed && isKind(error, 'corrupt')) throw new ResumedBytesError('resumed bytes', { cause: error })
    throw error
  }
  attempt.report({ id, status: 'Download complete' })
}

/** Lets the bytes be read while they come. */
async function offer(ingest: Ingest, follow: DownloadRequest['follow']): Promise<void> {
  if (!follow) return
  const file = await ingest.follow()
  const done = follow(file).catch(() => undefined)
  void done.then(() => file[Symbol.asyncDispose]())
}

async function fill(parts: DownloadParts, blob: Descriptor, ingest: Ingest, attempt: Attempt): Promise<void> {
  const { attempts, delay } = parts.limits
  for (let failures = 0; ingest.offset < blob.size;) {
    const before = ingest.offset
    try {
      await copy(parts, blob, ingest, attempt)
    } catch (error) {
      throwIfCancelled(attempt.signal, `download of ${blob.digest}`)
      const ignoresRange = isKind(error, 'unsupported') && before > 0
      if (!ignoresRange && !isKind(error, 'unavailable')) throw error
      if (ignoresRange) {
        await ingest.reset()
        await offer(ingest, attempt.follow)
      }
      // Bytes that came are no failure: a server that cuts each connection is still got the better of.
      failures = ingest.offset > before ? 0 : failures + 1
      if (failures >= attempts) throw error
      if (!ignoresRange) await pause(attempt, blob, delay * 2 ** Math.min(failures, 5))
    }
  }
}

async function copy(parts: DownloadParts, blob: Descriptor, ingest: Ingest, attempt: Attempt): Promise<void> {
  const { size, digest } = blob
  const facts = { id: abbreviate(digest), status: 'Downloading', total: size, from: ingest.offset }
  const meter = createMeter(parts.clock, attempt.report, facts)
  for await (const chunk of attempt.source(blob, ingest.offset, attempt.signal)) {
    await ingest.write(chunk)
    meter.add(chunk.length)
  }
}

async function pause({ report, signal }: Attempt, { digest }: Descriptor, milliseconds: number): Promise<void> {
  const seconds = Math.ceil(milliseconds / 1000)
  report({ id: abbreviate(digest), status: `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}` })
  await sleep(milliseconds, signal)
}
