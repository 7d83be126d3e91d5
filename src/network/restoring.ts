import { existsSync, readdirSync } from 'node:fs'
import { messageOf } from '#base'
import { removeNetworkNamespace } from '#kernel'
import { deleteLink, type LinkFacts, listLinks, openRoutes } from '#network/link'
import { undoSandbox } from './attaching.ts'
import { findBridge, portsOf, replug } from './bridge.ts'
import { cutOff } from './live.ts'
import type { Parts } from './parts.ts'
import type { NetworkRecord } from './types.ts'

/** After a start of the daemon: kernel and records agree again. The caller holds no lock, and nobody else is here yet. */
export async function restoreNetworks(parts: Parts, folder: string, alive: ReadonlySet<string>): Promise<void> {
  const { records } = parts
  for (const { container, host } of records.sandboxes()) {
    const whole = alive.has(container) && (host || existsSync(parts.pathOf(container)))
    if (!whole) await undoSandbox(parts, container)
  }
  for (const name of readdirSync(folder)) if (!records.findSandbox(name)) removeNetworkNamespace(parts.pathOf(name))
  const changed = await removeHalves(parts)
  // Before the networks: then the rules for containers that run are never away.
  await parts.reach.restore()
  // Not before: a resolver that was told of one container alone would forget the others.
  for (const container of changed) await parts.reach.settle(container)
  await openAll(parts)
}

/** Bridges and the like are there again, with the links of containers that run; one that cannot be is told of. */
async function openAll(parts: Parts): Promise<void> {
  for (const network of parts.records.list()) {
    if (network.bridge === undefined || !isNeeded(parts, network)) continue
    try {
      const root = (await parts.roots.open([network])).get(network.id)
      if (root && network.driver === 'bridge') await repair(parts, network, root)
    } catch (error) {
      parts.log.warn('cannot bring a network back', { network: network.name, error: messageOf(error) })
    }
  }
}

/** The default bridge is made with the first container on it. */
function isNeeded({ records }: Parts, { id, name, bridge = '' }: NetworkRecord): boolean {
  return name !== 'bridge' || records.endpointsIn(id).length > 0 || findBridge(bridge) !== undefined
}

async function repair(parts: Parts, network: NetworkRecord, root: LinkFacts): Promise<void> {
  const known = new Set(parts.records.endpointsIn(network.id).map(({ link }) => link ?? ''))
  if (known.size > 0) replug(root, known)
  if (network.adopted) return
  using routes = openRoutes()
  for (const port of portsOf(root))
    if (port.kind === 'veth' && !known.has(port.name)) await deleteLink(routes, port.index)
}

/**
 * What a connect or disconnect left half done is undone; the container's own record says what is to be. Gives the
 * containers whose rules and names are still to be settled.
 */
async function removeHalves(parts: Parts): Promise<ReadonlySet<string>> {
  const names = linkNames()
  const changed = new Set<string>()
  for (const { container, host } of parts.records.sandboxes()) {
    if (host) continue
    for (const endpoint of parts.records.endpointsOf(container)) {
      const lost = endpoint.link !== undefined && !names.has(endpoint.link)
      if (!lost && endpoint.ready) continue
      await cutOff(parts, endpoint)
      changed.add(container)
    }
  }
  return changed
}

function linkNames(): ReadonlySet<string> {
  using routes = openRoutes()
  return new Set(listLinks(routes).map(({ name }) => name))
}
