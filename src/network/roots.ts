import { conflict, internal } from '#base'
import { formatBlock, type LinkFacts, parseBlock, readBlock } from '#network/link'
import { clash, findBridge, openBridge, outwardMtu, removeBridge } from './bridge.ts'
import { chooseGateway } from './defaults.ts'
import { subnetOf } from './definition.ts'
import { mtuOf, upperSettings } from './options.ts'
import { checkParent, hasLink, openParent, placeholderName, removeParent } from './parent.ts'
import type { Roots } from './parts.ts'
import type { AddressPool } from './pools.ts'
import type { Reach } from './reach.ts'
import type { NetworkRecords } from './records.ts'
import { addressed } from './rows.ts'
import type { NetworkRecord } from './types.ts'

const MAX_NAME = 15

/** The link on the host that a new network's endpoints will stand on, found to be possible; throws in Docker's words. */
export function planRoot(network: NetworkRecord): NetworkRecord {
  switch (network.driver) {
    case 'bridge': {
      const bridge = network.bridge ?? ''
      if (bridge.length > MAX_NAME) throw internal('numerical result out of range')
      return findBridge(bridge) ? { ...network, adopted: true } : network
    }
    case 'macvlan':
    case 'ipvlan': {
      const { parent } = upperSettings(network.driver, network.options)
      if (parent === undefined || network.internal) return { ...network, bridge: placeholderName(network.id) }
      checkParent(parent)
      return { ...network, bridge: parent, ...(hasLink(parent) && { adopted: true }) }
    }
    case 'host':
    case 'null':
      return network
  }
}

/** The link that the network's endpoints stand on, made where it is missing. Undefined for host and none. */
function openRoot(network: NetworkRecord): LinkFacts | undefined {
  if (network.bridge === undefined) return undefined
  if (network.driver !== 'bridge') return openParent(network.bridge)
  const blocks = [
    [network.gateway, network.prefixLength],
    [network.gateway6, network.prefixLength6],
  ] as const
  const gateways = blocks.flatMap(([gateway, prefix]) => readBlock(`${gateway ?? ''}/${prefix ?? ''}`) ?? [])
  return openBridge({ name: network.bridge, mtu: () => mtuOf(network.options) ?? outwardMtu(), gateways })
}

/** Takes the link away unless it was there before the network. */
async function removeRoot(network: NetworkRecord): Promise<void> {
  if (network.bridge === undefined || network.adopted) return
  await (network.driver === 'bridge' ? removeBridge(network.bridge) : removeParent(network.bridge))
}

export interface RootsParts {
  readonly records: NetworkRecords
  readonly reach: Reach
  readonly pools: readonly AddressPool[] | undefined
}

export function createRoots({ records, reach, pools }: RootsParts): Roots {
  /** Indices of links that are as they should be, by network. */
  const opened = new Map<string, number>()
  const settle = (): Promise<void> => reach.open(records.list().filter(({ id }) => opened.has(id)))
  return {
    async open(networks) {
      const links = new Map<string, LinkFacts>()
      for (const network of networks) {
        const found = network.driver === 'bridge' ? findBridge(network.bridge ?? '') : undefined
        const known = found?.up && opened.get(network.id) === found.index ? found : undefined
        const link = known ?? openRoot(found ? network : freeOfClashes(records, network, pools))
        if (!link) continue
        links.set(network.id, link)
        opened.set(network.id, link.index)
      }
      if (links.size > 0) await settle()
      return links
    },
    async remove(network) {
      await removeRoot(network)
      if (opened.delete(network.id)) await settle()
    },
    async removeAll(networks) {
      opened.clear()
      for (const network of networks) await removeRoot(network)
    },
  }
}

/** The host may have got new networks since blocks were chosen: then others are, if nobody uses these yet. */
function freeOfClashes(
  records: NetworkRecords,
  network: NetworkRecord,
  pools: readonly AddressPool[] | undefined,
): NetworkRecord {
  const { bridge, subnet } = network
  if (network.driver !== 'bridge' || bridge === undefined || subnet === undefined) return network
  const taken = clash(bridge, parseBlock(subnet))
  if (taken === undefined) return network
  const first = network.ipam.find((block) => subnetOf(block).family === 4)
  if (!first?.chosen && network.name !== 'bridge') return network
  if (!first?.chosen || records.endpointsIn(network.id).length > 0)
    throw conflict(`cannot make the bridge ${bridge}: its block ${subnet} clashes with ${taken} of the host`)
  const others = records.list().filter(({ id, configOnly }) => id !== network.id && !configOnly)
  const gateway = chooseGateway(
    bridge,
    pools,
    others.flatMap(({ ipam }) => ipam.map(subnetOf)),
  )
  const changed = {
    ...network,
    ...addressed(formatBlock(gateway)),
    ipam: [...addressed(formatBlock(gateway)).ipam, ...network.ipam.filter((block) => block !== first)],
  }
  records.replace(changed)
  return changed
}
