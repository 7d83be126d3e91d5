import type { Resource } from '#store/lease'
import { resourceKey } from '#store/lease'

/** The `resourceKey`s of the roots and of all that edges lead to from them; cycles are fine. */
export function reachable(
  roots: Iterable<Resource>,
  edges: (from: Resource) => Iterable<Resource>,
): ReadonlySet<string> {
  const live = new Set<string>()
  const waiting = [...roots]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const key = resourceKey(next)
    if (live.has(key)) continue
    live.add(key)
    for (const to of edges(next)) waiting.push(to)
  }
  return live
}
