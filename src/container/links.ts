import { internal, invalid, isKind } from '#base'
import { linkNames, linkVariables, parseLink } from '#container/link'
import { changeHosts, type HostLine, readdressHosts } from '#runtime'
import {
  type ContainerLink,
  type ContainerRecord,
  type ContainerRecords,
  type CreateRequest,
  isLive,
} from '#container/record'
import { folderOf } from './parts.ts'
import type { Parts } from './parts.ts'
import { SHARED } from './shared-network.ts'

/** A link whose container runs, with its address on the default bridge. */
export interface LiveLink extends ContainerLink {
  readonly child: ContainerRecord
  readonly address: string
}

/** The links that a new container asks for; of several with one alias the first counts. Throws in Docker's words. */
export function resolveLinks(
  { records }: Pick<Parts, 'records'>,
  { links }: Pick<CreateRequest, 'links'>,
): readonly ContainerLink[] {
  const found = new Map<string, ContainerLink>()
  for (const text of links) {
    const { container, alias } = parseLink(text)
    const child = networkOwner(records, findLinked(records, container))
    if (child.request.networkMode === 'host') throw invalid(HOST_CONFLICT)
    if (!found.has(alias)) found.set(alias, { container: child.id, name: child.name, alias })
  }
  return [...found.values()]
}

const HOST_CONFLICT =
  "conflicting options: host type networking can't be used with links. This would result in undefined behavior"

function findLinked(records: ContainerRecords, name: string): ContainerRecord {
  if (name === '') throw invalid('could not get container for : invalid name or ID supplied: ""')
  try {
    return records.resolve(name).record
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
    throw invalid(`could not get container for ${name}: ${error.message}`, { cause: error })
  }
}

/** Whose network a container is in: its own, or that of another. Names may be given so that they lead in a ring. */
function networkOwner(records: ContainerRecords, record: ContainerRecord): ContainerRecord {
  const seen = new Set<string>()
  let owner = record
  while (owner.request.networkMode.startsWith(SHARED)) {
    if (seen.has(owner.id)) throw invalid(`cannot link to container ${record.name}: its network leads back to itself`)
    seen.add(owner.id)
    owner = records.resolve(owner.request.networkMode.slice(SHARED.length)).record
  }
  return owner
}

/** The links of a container about to start, all of which must run. Throws in Docker's words. */
export function startedLinks(parts: Pick<Parts, 'records'>, record: ContainerRecord): readonly LiveLink[] {
  return (record.links ?? []).map((link) => {
    const child = parts.records.find(link.container)?.record
    if (!child || !isLive(child.state))
      throw internal(`Cannot link to a non running container: /${link.name} AS /${record.name}/${link.alias}`)
    const address = bridgeAddress(child)
    if (address === undefined) throw internal(`container ${child.id} not attached to default bridge network`)
    return { ...link, child, address }
  })
}

/** The links of a running container that lead somewhere now. */
function liveLinks(parts: Pick<Parts, 'records'>, record: ContainerRecord): readonly LiveLink[] {
  return (record.links ?? []).flatMap((link) => {
    const child = parts.records.find(link.container)?.record
    const address = child && isLive(child.state) ? bridgeAddress(child) : undefined
    return child && address !== undefined ? [{ ...link, child, address }] : []
  })
}

function bridgeAddress({ endpoints }: ContainerRecord): string | undefined {
  return endpoints.find(({ network }) => network === 'bridge')?.address
}

/** The environment variables of a container's links, as they are now. */
export function variablesOf(parts: Pick<Parts, 'records'>, record: ContainerRecord): readonly string[] {
  return liveLinks(parts, record).flatMap(({ alias, address, child }) =>
    linkVariables({ owner: record.name, alias, address, exposedPorts: child.exposedPorts, env: child.env }),
  )
}

/** The lines of /etc/hosts. */
export function linkLines(links: readonly LiveLink[]): readonly HostLine[] {
  return links.map(({ alias, address, child }) => ({
    address,
    names: linkNames({ alias, hostname: child.hostname, name: child.name }),
  }))
}

/** A container has started, perhaps with another address: those that are linked to it find it. */
export async function refreshLinks(parts: Parts, id: string): Promise<void> {
  for (const { record } of parts.records.all()) {
    if (!isLive(record.state) || !record.links?.some(({ container }) => container === id)) continue
    const links = liveLinks(parts, record)
    readdressHosts(folderOf(parts, record.id), linkLines(links.filter(({ container }) => container === id)))
    await parts.networks.relink(record.id, links)
  }
}

/** A container has another name: links that lead to it say so. */
export function renameInLinks(parts: Parts, id: string, name: string): void {
  for (const { record } of parts.records.all()) {
    const { links } = record
    if (!links?.some(({ container }) => container === id)) continue
    const renamed = links.map((link) => (link.container === id ? { ...link, name } : link))
    parts.records.update(record.id, { links: renamed })
  }
}

/** «web/db» or «/web/db»: the link goes, the containers stay. Throws in Docker's words. */
export async function removeLink(parts: Parts, given: string): Promise<void> {
  parts.records.resolve(given)
  const [owner = '', ...rest] = given.replace(/^\//, '').split('/')
  if (rest.length === 0) throw internal('Conflict, cannot remove the default link name of the container')
  const { id } = parts.records.resolve(owner).record
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const alias = rest.join('/')
    const gone = linkLines(liveLinks(parts, record).filter((link) => link.alias === alias))
    const left = parts.records.update(id, { links: (record.links ?? []).filter((link) => link.alias !== alias) })
    if (!isLive(record.state)) return
    changeHosts(folderOf(parts, id), { remove: gone })
    await parts.networks.relink(id, liveLinks(parts, left))
  })
}
