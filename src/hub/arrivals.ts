import { open } from 'node:fs/promises'
import { EngineError, errnoOf, isKind, sleep, unavailable, type Bytes, type Log } from '#base'
import type { Descriptor, Digest } from '#oci'
import type { Registry } from '#registry'
import type { ContentStore, Ingest } from '#store/content'
import type { Lease, Leases } from '#store/lease'

/** Attempts in a row that moved nothing. */
const ATTEMPTS = 3
/** Milliseconds. */
const PAUSE = 500
const CHUNK = 256 * 1024

export interface ArrivalParts {
  readonly registry: Registry
  readonly content: ContentStore
  readonly leases: Leases
  readonly log: Log
}

export interface ArrivalRange {
  readonly start: number
  /** Exclusive. */
  readonly end: number
  readonly signal: AbortSignal
}

/**
 * Blobs that are fetched from another registry, once however many read them; readers get the bytes while they arrive,
 * the last one after the whole was verified. A download goes on when its readers have left.
 */
export interface Arrivals extends AsyncDisposable {
  read(repository: string, blob: Descriptor, range: ArrivalRange): Bytes
}

/** One download. */
interface Arrival {
  /** The file that grows. */
  readonly path: string
  /** Bytes that are in the file. */
  available: number
  state: 'running' | 'landed' | 'failed'
  error: unknown
  /** Resolves at the next change. */
  changed: PromiseWithResolvers<void>
}

export function createArrivals(parts: ArrivalParts): Arrivals {
  const arrivals = new Map<Digest, Promise<Arrival>>()
  const running = new Set<Promise<void>>()
  const stop = new AbortController()
  const begin = async (repository: string, blob: Descriptor): Promise<Arrival> => {
    const lease = await parts.leases.open(`cache ${blob.digest}`)
    try {
      lease.hold({ kind: 'blob', id: blob.digest })
      // Not the key of a pull: the engine may be pulling from its own cache.
      const ingest = await parts.content.begin(`registry cache ${blob.digest}`, lease)
      const arrival: Arrival = {
        path: ingest.path,
        available: ingest.written,
        state: 'running',
        error: undefined,
        changed: Promise.withResolvers(),
      }
      const work = land(parts, { arrival, repository, blob, ingest, lease, signal: stop.signal }).finally(() => {
        arrivals.delete(blob.digest)
        running.delete(work)
      })
      running.add(work)
      return arrival
    } catch (error) {
      arrivals.delete(blob.digest)
      await lease[Symbol.asyncDispose]()
      throw error
    }
  }
  const find = (repository: string, blob: Descriptor): Promise<Arrival> => {
    const known = arrivals.get(blob.digest)
    if (known) return known
    const made = begin(repository, blob)
    arrivals.set(blob.digest, made)
    return made
  }
  return {
    read: (repository, blob, range) => readArriving(parts.content, () => find(repository, blob), { blob, ...range }),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.all(running)
    },
  }
}

interface Reading extends ArrivalRange {
  readonly blob: Descriptor
}

async function* readArriving(content: ContentStore, find: () => Promise<Arrival>, reading: Reading): Bytes {
  const { blob, start, end, signal } = reading
  if (await content.find(blob.digest)) return yield* content.read(blob.digest, { start, end })
  const arrival = await find()
  await using handle = await openGrowing(arrival.path)
  if (!handle) return yield* content.read(blob.digest, { start, end })
  for (let at = start; at < end;) {
    const ready = arrival.state === 'landed' ? end : Math.min(arrival.available, blob.size - 1, end)
    if (at >= ready) {
      if (arrival.state === 'failed') throw arrival.error
      await Promise.race([arrival.changed.promise, left(signal)])
      continue
    }
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, ready - at))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) throw unavailable(`cannot read blob ${blob.digest}: its bytes went while they came`)
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}

/** Undefined where it has just become a blob. */
async function openGrowing(path: string) {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function left(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const leave = (): void => reject(unavailable('the reader has left'))
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  })
}

interface Landing {
  readonly arrival: Arrival
  readonly repository: string
  readonly blob: Descriptor
  readonly ingest: Ingest
  readonly lease: Lease
  readonly signal: AbortSignal
}

/** Never rejects: readers are told by the arrival. */
async function land(parts: ArrivalParts, landing: Landing): Promise<void> {
  const { arrival, blob, ingest, lease } = landing
  try {
    if (ingest.offset > blob.size) await ingest.reset()
    await fill(parts, landing)
    await ingest.commit({ digest: blob.digest, size: blob.size })
    arrival.state = 'landed'
  } catch (error) {
    arrival.state = 'failed'
    arrival.error = error
    parts.log.warn('registry cache: cannot fetch a blob', { digest: blob.digest, error: String(error) })
  } finally {
    await ingest[Symbol.asyncDispose]()
    await lease[Symbol.asyncDispose]()
    tell(arrival)
  }
}

async function fill({ registry }: ArrivalParts, landing: Landing): Promise<void> {
  const { arrival, repository, blob, ingest, signal } = landing
  for (let failures = 0; ingest.offset < blob.size;) {
    const before = ingest.offset
    try {
      for await (const chunk of registry.blob(repository, blob, before, signal)) {
        await ingest.write(chunk)
        arrival.available = ingest.written
        tell(arrival)
      }
    } catch (error) {
      if (!(error instanceof EngineError) || isKind(error, 'cancelled') || isKind(error, 'corrupt')) throw error
      const ignoresRange = isKind(error, 'unsupported') && before > 0
      if (ignoresRange) await ingest.reset()
      arrival.available = ingest.written
      failures = ingest.offset > before ? 0 : failures + 1
      if (failures >= ATTEMPTS || isKind(error, 'not-found')) throw error
      await sleep(PAUSE, signal)
    }
  }
}

function tell(arrival: Arrival): void {
  const { resolve } = arrival.changed
  arrival.changed = Promise.withResolvers()
  resolve()
}
