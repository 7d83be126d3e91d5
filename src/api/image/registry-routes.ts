import { invalid } from '#base'
import type { Engine } from '#engine'
import { parseObjectBody, type RegistriesJson, type RegistryListenerJson, type RegistryPruneJson } from '#wire'
import type { Exchange, Route } from '#api/exchange'

type Registry = Engine['registry']
type ServeRequest = Parameters<Registry['serve']>[0]
type Listener = ReturnType<Registry['list']>[number]

/** mica's own: the registry that it serves itself. */
export function registryRoutes({ registry, system }: Pick<Engine, 'registry' | 'system'>): readonly Route[] {
  return [
    { method: 'GET', pattern: '/x/registries', handle: ({ reply }) => reply(200, view(registry)) },
    { method: 'POST', pattern: '/x/registries', handle: (exchange) => serve(registry, exchange) },
    {
      method: 'POST',
      pattern: '/x/registries/prune',
      async handle({ query, reply }) {
        const removed = registry.prune({ mirrors: query.flag('mirrors') })
        const pruned: RegistryPruneJson = { ManifestsDeleted: removed, SpaceReclaimed: await system.collect() }
        reply(200, pruned)
      },
    },
    {
      method: 'DELETE',
      pattern: '/x/registries/{address}',
      async handle({ param, reply }) {
        await registry.stop(param('address'))
        reply(204)
      },
    },
  ]
}

/** A listener that is not kept lives as long as the reply: its first line says where it listens. */
async function serve(registry: Registry, exchange: Exchange): Promise<void> {
  const { request, keep } = parseBody(await exchange.json())
  const listener = await registry.serve(request, { keep })
  if (keep) return exchange.reply(201, listenerJson(listener))
  const output = exchange.stream('application/json')
  try {
    await output.line(listenerJson(listener))
    await Promise.race([registry.stopped(listener.address), left(exchange.signal)])
  } finally {
    if (registry.list().includes(listener)) await registry.stop(listener.address)
    output.end()
  }
}

function left(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function view(registry: Registry): RegistriesJson {
  return {
    Listeners: registry.list().map(listenerJson),
    Repositories: registry.repositories().map(({ name, mirrorOf = '', tags, manifests, size }) => ({
      Name: name,
      MirrorOf: mirrorOf,
      Tags: tags,
      Manifests: manifests,
      Size: size,
    })),
  }
}

function listenerJson({ address, readOnly, isTls, isKept, user = '', mirrorOf = '' }: Listener): RegistryListenerJson {
  return { Address: address, ReadOnly: readOnly, Tls: isTls, Keep: isKept, User: user, MirrorOf: mirrorOf }
}

/** See `ServeRegistryJson`. Throws `invalid`. */
function parseBody(value: unknown): { readonly request: ServeRequest; readonly keep: boolean } {
  const body = parseObjectBody(value)
  const listen = textOf(body, 'Listen')
  if (listen === undefined) throw invalid('Listen: want an address and a port, like 127.0.0.1:5000')
  const mirrorOf = textOf(body, 'MirrorOf')
  const name = textOf(body, 'User')
  const password = textOf(body, 'Password')
  if ((name === undefined) !== (password === undefined)) throw invalid('a user needs a password, and a password a user')
  const certificate = textOf(body, 'TlsCertificate')
  const key = textOf(body, 'TlsKey')
  if ((certificate === undefined) !== (key === undefined)) throw invalid('TLS needs a certificate and its key')
  return {
    keep: body['Keep'] === true,
    request: {
      listen,
      readOnly: body['ReadOnly'] === true,
      isPublic: body['Public'] === true,
      ...(mirrorOf !== undefined && { mirrorOf }),
      ...(name !== undefined && password !== undefined && { user: { name, password } }),
      ...(certificate !== undefined && key !== undefined && { tls: { certificate, key } }),
    },
  }
}

function textOf(body: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = body[name]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string') return value
  throw invalid(`${name}: want a string`)
}
