import { existsSync, readFileSync } from 'node:fs'
import { errnoOf } from '#base'
import { isErrno, runProcess } from '#kernel'
import type { FilterFinding } from './types.ts'

/** The older iptables, which is not a part of nftables and tells nobody of its changes. */
const LEGACY = 'iptables-legacy'
const TABLES = '/proc/net/ip_tables_names'
const DIRECTIONS = ['-i', '-o'] as const
const PLACES = ['DOCKER-USER', 'FORWARD'] as const

/** Whether it has a filter table here. */
export function hasLegacyFilter(): boolean {
  try {
    return existsSync(TABLES) && /^filter$/m.test(readFileSync(TABLES, 'utf8'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EACCES') return false
    throw error
  }
}

/** Accepts for the bridges where its policy drops what is forwarded. */
export async function openLegacy(bridges: Iterable<string>): Promise<void> {
  const { text } = await legacy('-w', '-S', 'FORWARD')
  if (!text.includes('-P FORWARD DROP')) return
  const place = text.includes('-j DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD'
  for (const bridge of bridges) {
    for (const direction of DIRECTIONS) {
      const rule = [place, direction, bridge, '-j', 'ACCEPT']
      if ((await legacy('-w', '-C', ...rule)).code !== 0) await legacy('-w', '-I', ...rule)
    }
  }
}

export async function closeLegacy(bridges: Iterable<string>): Promise<void> {
  for (const bridge of bridges) {
    for (const place of PLACES) {
      for (const direction of DIRECTIONS) await legacy('-w', '-D', place, direction, bridge, '-j', 'ACCEPT')
    }
  }
}

export async function legacyFindings(): Promise<readonly FilterFinding[]> {
  if (!hasLegacyFilter()) return []
  const name = 'forward policy'
  const { code, text } = await legacy('-w', '-S', 'FORWARD')
  if (code !== 0) {
    const cure = 'apt-get install iptables, or accept the bridges of this engine in its FORWARD chain by hand'
    return [{ name, ok: false, text: `the older iptables has rules here that cannot be read: ${text}`, cure }]
  }
  const drops = text.includes('-P FORWARD DROP')
  return [{ name, ok: true, text: `iptables-legacy FORWARD: ${drops ? 'drop; our bridges are accepted' : 'accept'}` }]
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
