import type { Log } from '#base'
import { messageOf } from '#base'
import type { Database } from '#store/db'
import type { Leases, Resource } from '#store/lease'
import { reachable } from './reachable.ts'
import type { Collector, GarbageCollector, Reclaimed, SweepPlan } from './types.ts'

interface CollectorOptions {
  readonly database: Database
  readonly leases: Leases
  readonly collectors: readonly Collector[]
  readonly log: Log
}

export function createGarbageCollector(options: CollectorOptions): GarbageCollector {
  let running: Promise<Reclaimed> | undefined
  let next: Promise<Reclaimed> | undefined
  const start = (): Promise<Reclaimed> => {
    running = collectOnce(options).finally(() => (running = undefined))
    return running
  }
  return {
    collect() {
      if (!running) return start()
      // One that is under way may have marked before the caller's removal: the next one is the caller's.
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined
          return start()
        })
      return next
    },
  }
}

async function collectOnce({ database, leases, collectors, log }: CollectorOptions): Promise<Reclaimed> {
  const plans = database.transaction(() => markAndSweep(leases, collectors))
  const resources = plans.flatMap((plan) => plan.resources)
  if (resources.length === 0) return { bytes: 0, resources }
  await database.flush()
  const bytes = await removeBytes(plans)
  log.info('collected', { resources: resources.length, bytes })
  return { bytes, resources }
}

/** Synchronous: no lease can be opened between the marking and the removal of the records. */
function markAndSweep(leases: Leases, collectors: readonly Collector[]): readonly SweepPlan[] {
  const roots = function* (): Iterable<Resource> {
    yield* leases.held()
    for (const collector of collectors) yield* collector.roots()
  }
  const known = collectors.map((collector) => collector.edgesNow?.() ?? ((from: Resource) => collector.edges(from)))
  const edges = function* (from: Resource): Iterable<Resource> {
    for (const lead of known) yield* lead(from)
  }
  const live = reachable(roots(), edges)
  return collectors.map((collector) => collector.sweep(live))
}

/** All plans get their turn; the first failure is thrown at the end. */
async function removeBytes(plans: readonly SweepPlan[]): Promise<number> {
  let bytes = 0
  const failures: unknown[] = []
  for (const plan of plans) {
    try {
      bytes += await plan.removeBytes()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 1) throw new AggregateError(failures, failures.map(messageOf).join('; '))
  if (failures.length === 1) throw failures[0]
  return bytes
}
