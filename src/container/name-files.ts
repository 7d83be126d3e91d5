import type { Mount } from '#kernel'
import type { Endpoint, Sandbox } from '#network'
import {
  changeHosts,
  type HostLine,
  type NameFacts,
  nameMounts,
  ownLines,
  renewResolver,
  writeNameFiles,
} from '#runtime'
import type { ContainerRecord } from '#container/record'
import { linkLines, type LiveLink } from './links.ts'
import { folderOf } from './parts.ts'
import type { Parts } from './parts.ts'
import { SHARED } from './shared-network.ts'

/**
 * Writes /etc/hosts, /etc/hostname and /etc/resolv.conf for a start and gives their mounts; a container in another's network
 * has the other's. Where something of its own is mounted at such a place, that stays.
 */
export async function nameFiles(
  parts: Parts,
  record: ContainerRecord,
  { sandbox, links }: { readonly sandbox: Sandbox; readonly links: readonly LiveLink[] },
): Promise<readonly Mount[]> {
  const taken = new Set(record.mounts.map((mount) => mount.destination))
  const { networkMode } = record.request
  const mounts = networkMode.startsWith(SHARED)
    ? nameMounts(folderOf(parts, networkMode.slice(SHARED.length)))
    : writeNameFiles(folderOf(parts, record.id), {
        ...factsOf(record, sandbox.endpoints, sandbox.resolver),
        more: [...(await extraLines(parts, record)), ...linkLines(links)],
      })
  return mounts.filter((mount) => !taken.has(mount.target ?? ''))
}

/** The network changed under a running container: its lines in /etc/hosts and, unless edited, its resolv.conf follow. */
export function renewNames(
  parts: Parts,
  record: ContainerRecord,
  change: {
    readonly before: readonly Endpoint[]
    readonly after: readonly Endpoint[]
    /** Whether 127.0.0.11 answered before, and answers now. */
    readonly resolver: { readonly before: boolean; readonly after: boolean }
  },
): void {
  if (record.request.networkMode.startsWith(SHARED)) return
  const folder = folderOf(parts, record.id)
  const before = factsOf(record, change.before, change.resolver.before)
  const after = factsOf(record, change.after, change.resolver.after)
  const [gone, come] = [beyond(ownLines(before), ownLines(after)), beyond(ownLines(after), ownLines(before))]
  if (gone.length + come.length > 0) changeHosts(folder, { remove: gone, add: come })
  if (change.resolver.before !== change.resolver.after) renewResolver(folder, before, after)
}

function beyond(lines: readonly HostLine[], others: readonly HostLine[]): readonly HostLine[] {
  return lines.filter(({ address }) => !others.some((other) => other.address === address))
}

function factsOf({ hostname, request }: ContainerRecord, endpoints: readonly Endpoint[], resolver: boolean): NameFacts {
  return {
    hostname,
    domainname: request.domainname,
    addresses: endpoints.flatMap(({ address, address6 }) => [address, address6].filter((one) => one !== undefined)),
    hostNetwork: request.networkMode === 'host',
    dns: request.dns,
    resolver,
  }
}

const GATEWAY = 'host-gateway'

/** Of `--add-host`: «name:address», where the address may be that of the host on the default bridge. */
async function extraLines(parts: Parts, { request }: ContainerRecord): Promise<readonly HostLine[]> {
  const lines = request.extraHosts.map((text) => {
    const at = text.indexOf(':')
    return { names: [text.slice(0, at)], address: text.slice(at + 1).replace(/^\[(.*)\]$/, '$1') }
  })
  if (!lines.some(({ address }) => address === GATEWAY)) return lines
  const { gateway } = await parts.networks.get('bridge')
  return lines.flatMap((line) => {
    if (line.address !== GATEWAY) return [line]
    return gateway === undefined ? [] : [{ ...line, address: gateway }]
  })
}
