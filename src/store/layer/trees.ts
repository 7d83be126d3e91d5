import type { ActiveSnapshot } from '#store/snapshot'
import type { DiffId } from '#oci'
import type { Lease } from '#store/lease'
import { cancelled } from '#base'
import type { ApplyFacts } from './jobs.ts'

/** A layer unpacked by itself: what its parent decides is still open. */
export interface UnpackedTree {
  readonly active: ActiveSnapshot
  readonly facts: ApplyFacts
}

/** One caller's wish that a tree be there; when the last of them is disposed of, a tree that nobody took goes. */
export interface TreeClaim extends AsyncDisposable {
  /** True for the one that began the work. */
  readonly isFirst: boolean
  /** Resolves once the tree is there; throws what its unpacking threw, or `cancelled`. */
  landed(signal?: AbortSignal): Promise<void>
  /** The tree, which is the caller's from now on; undefined where another took it. */
  take(): UnpackedTree | undefined
}

export interface TreeWork {
  /** Makes the snapshot; at once, for each claim's lease is to hold it. */
  prepare(): Promise<ActiveSnapshot>
  unpack(active: ActiveSnapshot, signal: AbortSignal): Promise<ApplyFacts>
  remove(active: ActiveSnapshot): Promise<void>
}

interface Flight {
  readonly prepared: Promise<ActiveSnapshot>
  readonly landed: Promise<void>
  readonly stop: AbortController
  claims: number
  tree: UnpackedTree | undefined
}

/** Trees that wait for their place, by diff id: each is unpacked once however many ask for it meanwhile. */
export interface UnpackedTrees {
  claim(diffId: DiffId, lease: Lease, work: TreeWork): Promise<TreeClaim>
}

export function createUnpackedTrees(): UnpackedTrees {
  const flights = new Map<DiffId, Flight>()
  const forget = (diffId: DiffId, flight: Flight): void => {
    if (flights.get(diffId) === flight) flights.delete(diffId)
  }
  return {
    async claim(diffId, lease, work) {
      const known = flights.get(diffId)
      const flight = known ?? start(work)
      flights.set(diffId, flight)
      flight.landed.catch(() => forget(diffId, flight))
      flight.claims += 1
      let isOpen = true
      const leave = async (): Promise<void> => {
        if (!isOpen) return
        isOpen = false
        flight.claims -= 1
        if (flight.claims > 0) return
        forget(diffId, flight)
        await end(flight, work)
      }
      try {
        lease.hold({ kind: 'snapshot', id: (await flight.prepared).id })
      } catch (error) {
        await leave()
        throw error
      }
      return {
        isFirst: known === undefined,
        landed: (signal) => unlessAborted(flight.landed, signal),
        take() {
          const { tree } = flight
          flight.tree = undefined
          forget(diffId, flight)
          return tree
        },
        [Symbol.asyncDispose]: leave,
      }
    },
  }
}

function start(work: TreeWork): Flight {
  const stop = new AbortController()
  const prepared = work.prepare()
  const landed = prepared.then(async (active) => {
    try {
      flight.tree = { active, facts: await work.unpack(active, stop.signal) }
    } catch (error) {
      await work.remove(active)
      throw error
    }
  })
  const flight: Flight = { prepared, landed, stop, claims: 0, tree: undefined }
  return flight
}

async function end(flight: Flight, work: TreeWork): Promise<void> {
  flight.stop.abort()
  await flight.landed.catch(() => undefined)
  const { tree } = flight
  flight.tree = undefined
  if (tree) await work.remove(tree.active)
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work
  const gone = Promise.withResolvers<never>()
  const leave = (): void => gone.reject(cancelled('unpacking of a layer', signal.reason))
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  try {
    await Promise.race([work, gone.promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
