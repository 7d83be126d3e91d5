import type { Resource } from '#store/lease'
import { resourceKey } from '#store/lease'

/** All that can be reached, and by what. Names are `resourceKey`s of #store/lease. */
export interface Graph {
  readonly resources: ReadonlyMap<string, Resource>
  /** What leads to a resource directly; nothing for one that is only a root. */
  referrers(key: string): ReadonlySet<string>
  /** What can be reached from these, and these. */
  reach(keys: Iterable<string>): ReadonlySet<string>
}

/** So many resources are looked at in one turn of the event loop. */
const TURN = 200

/** Follows edges from the roots as a collection does, but changes nothing and leaves room for others meanwhile. */
export async function traceGraph(
  roots: Iterable<Resource>,
  edges: (from: Resource) => Iterable<Resource>,
): Promise<Graph> {
  const resources = new Map<string, Resource>()
  const to = new Map<string, readonly string[]>()
  const from = new Map<string, Set<string>>()
  const waiting = [...roots]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const key = resourceKey(next)
    if (resources.has(key)) continue
    resources.set(key, next)
    const found = [...edges(next)]
    to.set(key, found.map(resourceKey))
    for (const target of found) referrersIn(from, resourceKey(target)).add(key)
    waiting.push(...found)
    if (resources.size % TURN === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return { resources, referrers: (key) => from.get(key) ?? NONE, reach: (keys) => reachIn(to, keys) }
}

const NONE: ReadonlySet<string> = new Set()

function referrersIn(from: Map<string, Set<string>>, key: string): Set<string> {
  const known = from.get(key)
  if (known) return known
  const made = new Set<string>()
  from.set(key, made)
  return made
}

function reachIn(to: ReadonlyMap<string, readonly string[]>, keys: Iterable<string>): ReadonlySet<string> {
  const found = new Set<string>()
  const waiting = [...keys]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue
    found.add(next)
    waiting.push(...(to.get(next) ?? []))
  }
  return found
}
