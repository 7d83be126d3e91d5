import { notFound } from '#base'
import type { EndpointRequest } from '#network'
import type { Parts } from './parts.ts'

/** Joins a network. */
export async function connectContainer(parts: Parts, name: string, request: EndpointRequest): Promise<void> {
  const { id } = parts.records.resolve(name).record
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const { hostname, request: created } = record
    const endpoint = await parts.networks.connect({ id, name: record.name, hostname, dns: created.dns }, request)
    parts.records.update(id, { endpoints: [...record.endpoints, endpoint] })
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
    await parts.networks.disconnect(id, network, { force })
    parts.records.update(id, { endpoints: record.endpoints.filter((one) => one !== left) })
  })
}
