import { countsOf, type Element } from './element.ts'
import { RULES_PER_CHAIN } from './table.ts'

/** The parts of nft's JSON that matter here. */
export interface Chain {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly hook?: string
  readonly policy?: string
}

export interface Rule {
  readonly family: string
  readonly table: string
  readonly chain: string
  readonly handle: number
  readonly expr: readonly unknown[]
}

interface NamedSet {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly elem?: readonly unknown[]
}

export interface Ruleset {
  readonly chains: readonly Chain[]
  readonly rules: readonly Rule[]
  /** Sets and maps. */
  readonly sets: readonly NamedSet[]
}

/** Reads what `nft -j list ruleset` gives; entries of other kinds are left out. */
export function parseRuleset(json: unknown): Ruleset {
  const entries = (json as { nftables?: readonly Record<string, unknown>[] }).nftables ?? []
  const of = <T>(kind: string): readonly T[] => entries.flatMap((entry) => (kind in entry ? [entry[kind] as T] : []))
  return { chains: of<Chain>('chain'), rules: of<Rule>('rule'), sets: [...of<NamedSet>('set'), ...of<NamedSet>('map')] }
}

/** Whether our table has all its chains with all their rules, and as many elements in each set as it should. */
export function isWhole(ruleset: Ruleset, table: string, elements: readonly Element[]): boolean {
  const own = <T extends { readonly family: string; readonly table: string }>(all: readonly T[]): readonly T[] =>
    all.filter((one) => one.family === 'inet' && one.table === table)
  const rules = Map.groupBy(own(ruleset.rules), ({ chain }) => chain)
  const chains = new Set(own(ruleset.chains).map(({ name }) => name))
  const counts = countsOf(elements)
  const sets = own(ruleset.sets)
  return (
    [...RULES_PER_CHAIN].every(([name, count]) => chains.has(name) && (rules.get(name)?.length ?? 0) === count) &&
    sets.every(({ name, elem = [] }) => elem.length === (counts.get(name) ?? 0)) &&
    [...counts.keys()].every((name) => sets.some((set) => set.name === name))
  )
}
