import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { errnoOf, isKind, messageOf } from '#base'
import { isErrno, listNft, openNetlink, runNft, runProcess } from '#kernel'
import {
  acceptCommands,
  hasTable,
  obstacles,
  ownAccepts,
  parseRuleset,
  type Ruleset,
  tableCommands,
} from './ruleset.ts'
import type { NetworkFinding } from './types.ts'

/** The packet filter, as far as one bridge needs it. */
export interface Firewall {
  /** Forwarding on, our table in place, accepts where another engine drops; cheap where nothing has changed since. */
  open(subnet: string): Promise<void>
  /** Takes our table and accepts away. */
  close(): Promise<void>
  diagnose(): Promise<readonly NetworkFinding[]>
}

const FORWARDING = '/proc/sys/net/ipv4/ip_forward'
const LEGACY_TABLES = '/proc/net/ip_tables_names'
/** The older iptables has no counter of changes: looked at again after so long. Milliseconds. */
const LEGACY_INTERVAL = 5000

export function createFirewall(options: { readonly bridge: string; readonly table: string }): Firewall {
  const { bridge, table } = options
  let seen: { readonly generation: number; readonly subnet: string } | undefined
  let legacySeen = Number.NEGATIVE_INFINITY
  const check = async (subnet: string): Promise<void> => {
    const ruleset = parseRuleset(await listNft())
    const own = seen?.subnet === subnet && hasTable(ruleset, table) ? '' : tableCommands(table, bridge, subnet)
    const commands = own + acceptCommands(obstacles(ruleset, bridge, table), bridge)
    if (commands !== '') await runNft(commands)
  }
  return {
    async open(subnet) {
      if (readForwarding() !== '1') writeFileSync(FORWARDING, '1')
      const generation = rulesetGeneration()
      if (seen?.generation !== generation || seen.subnet !== subnet) {
        await check(subnet)
        // Taken after our own change; somebody else's in between is seen by the next look at what he changes next.
        seen = { generation: rulesetGeneration(), subnet }
      }
      if (hasLegacyFilter() && performance.now() - legacySeen > LEGACY_INTERVAL) {
        await openLegacy(bridge)
        legacySeen = performance.now()
      }
    },
    async close() {
      seen = undefined
      const ruleset = parseRuleset(await listNft())
      const rules = ownAccepts(ruleset, bridge, table)
      const commands = rules.map(
        (rule) => `delete rule ${rule.family} ${rule.table} ${rule.chain} handle ${rule.handle}\n`,
      )
      if (hasTable(ruleset, table)) commands.push(`delete table ip ${table}\n`)
      if (commands.length > 0) await runNft(commands.join(''))
      if (hasLegacyFilter()) await closeLegacy(bridge)
    },
    async diagnose() {
      return [forwardingFinding(), ...(await filterFindings(bridge, table)), ...(await legacyFindings(bridge))]
    },
  }
}

const NETLINK_NETFILTER = 12
const GET_GENERATION = (10 << 8) | 16

/** A number that the kernel raises with each change of its nftables rules. */
function rulesetGeneration(): number {
  using netlink = openNetlink(NETLINK_NETFILTER)
  const request = Buffer.alloc(20)
  request.writeUInt16LE(GET_GENERATION, 4)
  const [reply] = netlink.request(request)
  return reply?.readUInt32BE(24) ?? 0
}

function readForwarding(): string {
  return readFileSync(FORWARDING, 'utf8').trim()
}

function forwardingFinding(): NetworkFinding {
  const on = readForwarding() === '1'
  return { name: 'ip_forward', ok: true, text: on ? 'on' : 'off; switched on with the first container on the bridge' }
}

async function filterFindings(bridge: string, table: string): Promise<readonly NetworkFinding[]> {
  const ruleset = await listed()
  if (typeof ruleset === 'string') {
    return [{ name: 'packet filter', ok: false, text: ruleset, cure: 'apt-get install nftables' }]
  }
  const found = obstacles(ruleset, bridge, table)
  const own = { name: 'packet filter', ok: true, text: `nftables, table ip ${table}` }
  if (found.length === 0)
    return [own, { name: 'forward policy', ok: true, text: 'no other table drops forwarded packets' }]
  return [
    own,
    ...found.map(({ family, table: theirs, base, place, missing }) => {
      const drop = `${family} ${theirs} ${base} drops forwarded packets`
      const text =
        missing.length === 0
          ? `${drop}; ${bridge} is accepted in ${place}`
          : `${drop}; ${bridge} will be accepted in ${place}`
      return { name: 'forward policy', ok: true, text }
    }),
  ]
}

async function listed(): Promise<Ruleset | string> {
  try {
    return parseRuleset(await listNft())
  } catch (error) {
    if (isKind(error, 'unavailable') || isKind(error, 'internal')) return messageOf(error)
    throw error
  }
}

/** Whether the older, non-nftables iptables has a filter table here. */
function hasLegacyFilter(): boolean {
  try {
    return existsSync(LEGACY_TABLES) && /^filter$/m.test(readFileSync(LEGACY_TABLES, 'utf8'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EACCES') return false
    throw error
  }
}

const LEGACY = 'iptables-legacy'
const LEGACY_RULES = [['-i'], ['-o']] as const

async function openLegacy(bridge: string): Promise<void> {
  const place = await legacyPlace()
  if (place === undefined) return
  for (const [direction] of LEGACY_RULES) {
    const rule = [place, direction, bridge, '-j', 'ACCEPT']
    if ((await legacy('-w', '-C', ...rule)).code !== 0) await legacy('-w', '-I', ...rule)
  }
}

async function closeLegacy(bridge: string): Promise<void> {
  for (const place of ['DOCKER-USER', 'FORWARD']) {
    for (const [direction] of LEGACY_RULES) await legacy('-w', '-D', place, direction, bridge, '-j', 'ACCEPT')
  }
}

async function legacyFindings(bridge: string): Promise<readonly NetworkFinding[]> {
  if (!hasLegacyFilter()) return []
  const { code, text } = await legacy('-w', '-S', 'FORWARD')
  if (code !== 0) {
    const cure = `apt-get install iptables, or accept ${bridge} in its FORWARD chain by hand`
    return [
      {
        name: 'forward policy',
        ok: false,
        text: `the older iptables has rules here that cannot be read: ${text}`,
        cure,
      },
    ]
  }
  const drops = text.includes('-P FORWARD DROP')
  return [
    {
      name: 'forward policy',
      ok: true,
      text: `iptables-legacy FORWARD: ${drops ? `drop; ${bridge} is accepted` : 'accept'}`,
    },
  ]
}

/** Where an accept has to stand in the older filter table; undefined where its policy does not drop. */
async function legacyPlace(): Promise<string | undefined> {
  const { text } = await legacy('-w', '-S', 'FORWARD')
  if (!text.includes('-P FORWARD DROP')) return undefined
  return text.includes('-j DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD'
}

async function legacy(...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  try {
    const { status, stdout, stderr } = await runProcess(LEGACY, args)
    return { code: status.code, text: `${stdout.toString()}${stderr.toString()}` }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { code: 127, text: `${LEGACY} is not installed` }
    throw error
  }
}
