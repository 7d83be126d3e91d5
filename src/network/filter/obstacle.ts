import type { Chain, Rule, Ruleset } from './ruleset.ts'

/** A chain of somebody else that would drop what our bridges forward, and where accepts have to stand. */
export interface Obstacle {
  readonly family: string
  readonly table: string
  /** The base chain with the policy. */
  readonly base: string
  /** Where accepts go: DOCKER-USER where the base chain asks it, else the base chain itself. */
  readonly place: string
  /** The accepts that are not there. */
  readonly missing: readonly Accept[]
}

/** For what comes from, or goes to, a link. */
export interface Accept {
  readonly direction: Direction
  readonly bridge: string
}

type Direction = 'iifname' | 'oifname'
const DIRECTIONS: readonly Direction[] = ['iifname', 'oifname']
const USER_CHAIN = 'DOCKER-USER'
const FAMILIES: ReadonlySet<string> = new Set(['ip', 'ip6', 'inet'])

/** The bridges for which accepts are wanted; those with IPv6 need them in tables of ip6 too. */
export interface Bridges {
  readonly all: ReadonlySet<string>
  readonly six: ReadonlySet<string>
  /** The table that is ours. */
  readonly table: string
}

/** Base chains at the forward hook, of tables that are not ours, whose policy is drop. */
export function obstacles(ruleset: Ruleset, bridges: Bridges): readonly Obstacle[] {
  return ruleset.chains
    .filter((chain) => chain.hook === 'forward' && chain.policy === 'drop' && !isOwn(chain, bridges))
    .filter(({ family }) => FAMILIES.has(family))
    .map((chain) => {
      const place = asksUserChain(ruleset, chain) ? USER_CHAIN : chain.name
      const rules = ruleset.rules.filter((rule) => sameTable(rule, chain) && rule.chain === place)
      const there = new Set(rules.flatMap((rule) => keyOf(acceptOf(rule)) ?? []))
      const wanted = [...(chain.family === 'ip6' ? bridges.six : bridges.all)].flatMap((bridge) =>
        DIRECTIONS.map((direction) => ({ direction, bridge })),
      )
      const missing = wanted.filter((accept) => !there.has(keyOf(accept) ?? ''))
      return { family: chain.family, table: chain.table, base: chain.name, place, missing }
    })
}

/** The accepts for links of the given names in tables of others, where we put them: what others say elsewhere is theirs. */
export function acceptsFor(ruleset: Ruleset, isOurs: (link: string) => boolean, table: string): readonly Rule[] {
  const places = ruleset.chains.filter(({ hook, name }) => hook === 'forward' || name === USER_CHAIN)
  return ruleset.rules.filter((rule) => {
    const accept = rule.family === 'inet' && rule.table === table ? undefined : acceptOf(rule)
    const isPlace = places.some((chain) => sameTable(rule, chain) && chain.name === rule.chain)
    return accept !== undefined && isPlace && isOurs(accept.bridge)
  })
}

/**
 * The commands that put the missing accepts in place. They use nothing but an interface name, a counter and a verdict:
 * with other expressions iptables would call the whole table incompatible and refuse to work.
 */
export function acceptCommands(found: readonly Obstacle[]): string {
  return found
    .flatMap(({ family, table, place, missing }) =>
      missing.map(
        ({ direction, bridge }) => `insert rule ${family} ${table} ${place} ${direction} "${bridge}" counter accept\n`,
      ),
    )
    .join('')
}

export function deleteCommands(rules: readonly Rule[]): string {
  return rules
    .map(({ family, table, chain, handle }) => `delete rule ${family} ${table} ${chain} handle ${handle}\n`)
    .join('')
}

function isOwn(chain: Chain, { table }: Bridges): boolean {
  return chain.family === 'inet' && chain.table === table
}

function sameTable(rule: Rule, chain: Chain): boolean {
  return rule.family === chain.family && rule.table === chain.table
}

function asksUserChain(ruleset: Ruleset, base: Chain): boolean {
  return ruleset.rules
    .filter((rule) => sameTable(rule, base) && rule.chain === base.name)
    .some((rule) => rule.expr.some((expr) => fieldOf(fieldOf(expr, 'jump'), 'target') === USER_CHAIN))
}

/** The accept that a rule is, where it matches one link's name and nothing else. */
function acceptOf(rule: Rule): Accept | undefined {
  const matches = rule.expr.flatMap((expr) => fieldOf(expr, 'match') ?? [])
  const accepts = rule.expr.some((expr) => typeof expr === 'object' && expr !== null && 'accept' in expr)
  const [only] = matches
  if (!accepts || matches.length !== 1 || fieldOf(only, 'op') !== '==') return undefined
  const key = fieldOf(fieldOf(fieldOf(only, 'left'), 'meta'), 'key')
  const direction = DIRECTIONS.find((one) => one === key)
  const bridge = fieldOf(only, 'right')
  return direction && typeof bridge === 'string' ? { direction, bridge } : undefined
}

function keyOf(accept: Accept | undefined): string | undefined {
  return accept && `${accept.direction} ${accept.bridge}`
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}
