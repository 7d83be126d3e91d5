import { notFound } from '#base'
import type { EndpointRequest } from '#network'
import { renewNames } from './name-files.ts'
import type { Parts } from './parts.ts'

/** Joins a network. */
export async function connectContainer(parts: Parts, name: string, request: EndpointRequest): Promise<void> {
  const { id } = parts.records.resolve(name).record
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const { hostname, request: created } = record
    const before = await resolverOf(parts, id)
    const endpoint = await parts.networks.connect({ id, name: record.name, hostname, dns: created.dns }, request)
    const endpoints = [...record.endpoints, endpoint]
    parts.records.update(id, { endpoints })
    const resolver = { before, after: await resolverOf(parts, id) }
    renewNames(parts, record, { before: record.endpoints, after: endpoints, resolver })
  })
}

export async function disconnectContainer(
  parts: Parts,
  { name, network, force }: { readonly name: string; readonly network: string; readonly force: boolean },
): Promise<void> {
  const { id } = parts.records.resolve(name).record
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const left = record.endpoints.find((one) => one.network === network || one.networkId === network)
    if (!left && !force) throw notFound('endpoint', network)
    const before = await resolverOf(parts, id)
    await parts.networks.disconnect(id, network, { force })
    const endpoints = record.endpoints.filter((one) => one !== left)
    parts.records.update(id, { endpoints })
    const resolver = { before, after: await resolverOf(parts, id) }
    renewNames(parts, record, { before: record.endpoints, after: endpoints, resolver })
  })
}

async function resolverOf({ networks }: Parts, id: string): Promise<boolean> {
  return (await networks.find(id))?.resolver ?? false
}
