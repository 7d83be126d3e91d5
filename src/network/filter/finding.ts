import { isKind, messageOf } from '#base'
import { type Bridges, obstacles } from './obstacle.ts'
import type { Ruleset } from './ruleset.ts'
import type { FilterFinding } from './types.ts'

/** Our table, and who else drops what is forwarded. */
export async function filterFindings(
  list: () => Promise<Ruleset>,
  bridges: Bridges,
): Promise<readonly FilterFinding[]> {
  const name = 'packet filter'
  try {
    const found = obstacles(await list(), bridges)
    const own = { name, ok: true, text: `nftables, table inet ${bridges.table}` }
    if (found.length === 0)
      return [own, { name: 'forward policy', ok: true, text: 'no other table drops forwarded packets' }]
    return [
      own,
      ...found.map(({ family, table, base, place, missing }) => {
        const will = missing.length === 0 ? 'are' : 'will be'
        const text = `${family} ${table} ${base} drops forwarded packets; our bridges ${will} accepted in ${place}`
        return { name: 'forward policy', ok: true, text }
      }),
    ]
  } catch (error) {
    if (!isKind(error, 'unavailable') && !isKind(error, 'internal')) throw error
    return [{ name, ok: false, text: messageOf(error), cure: 'apt-get install nftables' }]
  }
}
