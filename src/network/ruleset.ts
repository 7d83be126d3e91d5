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

export interface Ruleset {
  readonly chains: readonly Chain[]
  readonly rules: readonly Rule[]
}

/** Reads what `nft -j list ruleset` gives; entries of other kinds are left out. */
export function parseRuleset(json: unknown): Ruleset {
  const entries = (json as { nftables?: readonly Record<string, unknown>[] }).nftables ?? []
  const of = <T>(kind: string): readonly T[] => entries.flatMap((entry) => (kind in entry ? [entry[kind] as T] : []))
  return { chains: of<Chain>('chain'), rules: of<Rule>('rule') }
}

/** A chain of somebody else that would drop what our bridge forwards, and where an accept has to stand. */
export interface Obstacle {
  readonly family: string
  readonly table: string
  /** The base chain with the policy. */
  readonly base: string
  /** Where accepts go: DOCKER-USER where the base chain asks it, else the base chain itself. */
  readonly place: string
  /** Directions (`iifname`, `oifname`) for which the accept is missing. */
  readonly missing: readonly Direction[]
}

export type Direction = 'iifname' | 'oifname'
const DIRECTIONS: readonly Direction[] = ['iifname', 'oifname']
const USER_CHAIN = 'DOCKER-USER'

/** Base chains at the forward hook, of other tables than `ownTable`, whose policy is drop. */
export function obstacles(ruleset: Ruleset, bridge: string, ownTable: string): readonly Obstacle[] {
  return ruleset.chains
    .filter((chain) => chain.hook === 'forward' && chain.policy === 'drop' && chain.table !== ownTable)
    .filter((chain) => chain.family === 'ip' || chain.family === 'inet')
    .map((chain) => {
      const place = asksUserChain(ruleset, chain) ? USER_CHAIN : chain.name
      const rules = ruleset.rules.filter((rule) => sameTable(rule, chain) && rule.chain === place)
      const missing = DIRECTIONS.filter((direction) => !rules.some((rule) => isAccept(rule, direction, bridge)))
      return { family: chain.family, table: chain.table, base: chain.name, place, missing }
    })
}

/** Every accept for the bridge in tables of others. */
export function ownAccepts(ruleset: Ruleset, bridge: string, ownTable: string): readonly Rule[] {
  return ruleset.rules
    .filter((rule) => rule.table !== ownTable)
    .filter((rule) => DIRECTIONS.some((direction) => isAccept(rule, direction, bridge)))
}

export function hasTable(ruleset: Ruleset, table: string): boolean {
  return ruleset.chains.some((chain) => chain.family === 'ip' && chain.table === table)
}

/**
 * The commands that put the missing accepts in place. They use nothing but an interface name, a counter and a verdict:
 * with other expressions iptables would call the whole table incompatible and refuse to work.
 */
export function acceptCommands(found: readonly Obstacle[], bridge: string): string {
  return found
    .flatMap(({ family, table, place, missing }) =>
      missing.map((direction) => `insert rule ${family} ${table} ${place} ${direction} "${bridge}" counter accept\n`),
    )
    .join('')
}

/** Our own table: masquerading for the bridge, and no way in but for replies. Replaces what is there. */
export function tableCommands(table: string, bridge: string, subnet: string): string {
  return `table ip ${table} {}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname != "${bridge}" oifname "${bridge}" ct state established,related accept
    iifname != "${bridge}" oifname "${bridge}" drop
  }
}
`
}

function sameTable(rule: { family: string; table: string }, chain: Chain): boolean {
  return rule.family === chain.family && rule.table === chain.table
}

function asksUserChain(ruleset: Ruleset, base: Chain): boolean {
  return ruleset.rules
    .filter((rule) => sameTable(rule, base) && rule.chain === base.name)
    .some((rule) => rule.expr.some((expr) => fieldOf(fieldOf(expr, 'jump'), 'target') === USER_CHAIN))
}

function isAccept(rule: Rule, direction: Direction, bridge: string): boolean {
  const matches = rule.expr.flatMap((expr) => {
    const match = fieldOf(expr, 'match')
    return match === undefined ? [] : [match]
  })
  const [only] = matches
  return (
    matches.length === 1 &&
    fieldOf(only, 'op') === '==' &&
    fieldOf(only, 'right') === bridge &&
    fieldOf(fieldOf(fieldOf(only, 'left'), 'meta'), 'key') === direction &&
    rule.expr.some((expr) => typeof expr === 'object' && expr !== null && 'accept' in expr)
  )
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}
