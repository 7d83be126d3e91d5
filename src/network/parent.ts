import { EngineError, invalid } from '#base'
import { isErrno, type NetlinkSocket } from '#kernel'
import {
  addUpper,
  addVeth,
  deleteLink,
  findLink,
  type LinkFacts,
  openRoutes,
  setUp,
  vlanData,
  withoutIpv6,
} from '#network/link'

/** The name of the link that a network without a parent stands on: one end of a pair that leads nowhere. */
export function placeholderName(networkId: string): string {
  return `dm-${networkId.slice(0, 12)}`
}

/** Refuses, in Docker's words, a parent that neither is there nor can be made: a VLAN («eth0.10») of a link that is. */
export function checkParent(name: string): void {
  using routes = openRoutes()
  if (findLink(routes, name)) return
  const vlan = vlanOf(name)
  if (!vlan) throw invalid(`invalid subinterface vlan name ${name}, example formatting is eth0.10`)
  if (!findLink(routes, vlan.lower)) throw invalid(`-o parent interface was not found on the host: ${vlan.lower}`)
}

/** The link that containers' links stand on; made where it can be made. */
export function openParent(name: string): LinkFacts {
  using routes = openRoutes()
  const found = findLink(routes, name)
  if (found) return found
  checkName(name)
  if (name.startsWith('dm-')) makePlaceholder(routes, name)
  else makeVlan(routes, name)
  const made = findLink(routes, name)
  if (!made) throw invalid(`-o parent interface was not found on the host: ${name}`)
  setUp(routes, made.index)
  return made
}

export function hasLink(name: string): boolean {
  using routes = openRoutes()
  return findLink(routes, name) !== undefined
}

/** Fine where it is gone. */
export async function removeParent(name: string): Promise<void> {
  using routes = openRoutes()
  const link = findLink(routes, name)
  if (link) await deleteLink(routes, link.index)
}

function checkName(name: string): void {
  if (!name.startsWith('dm-')) checkParent(name)
}

function makePlaceholder(routes: NetlinkSocket, name: string): void {
  const other = `dn-${name.slice(3)}`
  addVeth(routes, { name, mtu: 1500, peer: { name: other, mtu: 1500 } })
  for (const end of [name, other]) withoutIpv6(end)
  const peer = findLink(routes, other)
  if (peer) setUp(routes, peer.index)
}

function makeVlan(routes: NetlinkSocket, name: string): void {
  const vlan = vlanOf(name)
  const lower = vlan && findLink(routes, vlan.lower)
  if (!vlan || !lower) return
  try {
    addUpper(routes, { link: { name, mtu: lower.mtu }, kind: 'vlan', parent: lower.index, data: vlanData(vlan.id) })
  } catch (error) {
    if (!isErrno(error, 'ENOTSUP')) throw error
    throw new EngineError('unsupported', `cannot make the link ${name}: this kernel has no VLANs`, { cause: error })
  }
}

const MAX_VLAN = 4094

function vlanOf(name: string): { readonly lower: string; readonly id: number } | undefined {
  const [, lower, digits] = /^([^.]+)\.(\d{1,4})$/.exec(name) ?? []
  const id = Number(digits)
  return lower === undefined || id < 1 || id > MAX_VLAN ? undefined : { lower, id }
}
