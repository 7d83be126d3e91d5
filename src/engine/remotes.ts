import { collect, isKind } from '#base'
import { isIndexType, isManifestType, parseImageConfig, parseIndex, parseManifest, withDefaultTag } from '#oci'
import type { Descriptor, Platform, Reference } from '#oci'
import { RegistryError } from '#registry'
import type { Registries, Registry } from '#registry'
import type { RemoteImage, RemoteService } from './types.ts'

/** A larger config is not asked for its platform. Bytes. */
const MAX_CONFIG = 8 << 20

/** What is asked of registries themselves: credentials, searches, and what a name stands for there. */
export function createRemoteService(registries: Registries): RemoteService {
  return {
    login: (server, credentials, signal) => registries.login(server, credentials, signal),
    search: (term, options) => registries.search(term, options),
    describe(reference, { credentials, signal } = {}) {
      const name = withDefaultTag(reference)
      return firstOf(registries.registryFor(name, credentials), (registry) => describeAt(registry, name, signal))
    },
    manifest(reference, { credentials, signal } = {}) {
      const name = withDefaultTag(reference)
      return firstOf(registries.registryFor(name, credentials), async (registry) =>
        registry.manifest(name.path, await registry.resolve(name, signal), signal),
      )
    },
    tags: (repository, { credentials, signal } = {}) =>
      firstOf(registries.registryFor(repository, credentials), async (registry) =>
        [...(await registry.tags(repository.path, signal))].sort(),
      ),
  }
}

/** Mirrors first; of several failures the last one is told. */
async function firstOf<T>(registries: readonly Registry[], ask: (registry: Registry) => Promise<T>): Promise<T> {
  let failure: unknown
  for (const registry of registries) {
    try {
      return await ask(registry)
    } catch (error) {
      if (isKind(error, 'cancelled')) throw error
      failure = error
    }
  }
  throw ownWords(failure)
}

async function describeAt(registry: Registry, name: Reference, signal?: AbortSignal): Promise<RemoteImage> {
  const descriptor = await registry.resolve(name, signal)
  const bytes = await registry.manifest(name.path, descriptor, signal)
  const { mediaType } = descriptor
  if (isIndexType(mediaType)) {
    const platforms = parseIndex(bytes, mediaType).manifests.flatMap(({ platform }) => platform ?? [])
    return { descriptor, platforms }
  }
  if (!isManifestType(mediaType)) return { descriptor, platforms: [] }
  const { config } = parseManifest(bytes, mediaType)
  return { descriptor, platforms: await platformOf(registry, { name, config }, signal) }
}

/** Of an image; what is no image (an artifact) has none. */
async function platformOf(
  registry: Registry,
  { name, config }: { readonly name: Reference; readonly config: Descriptor },
  signal?: AbortSignal,
): Promise<readonly Platform[]> {
  if (config.size > MAX_CONFIG || !/image(\.config)?\.v1\+json$/.test(config.mediaType)) return []
  const bytes = await collect(registry.blob(name.path, config, 0, signal), MAX_CONFIG)
  const { os, architecture, variant } = parseImageConfig(bytes)
  return [{ os, architecture, ...(variant !== undefined && { variant }) }]
}

/** The registry's own words: those for a pull are of no use to who only looks. */
function ownWords(error: unknown): unknown {
  return error instanceof RegistryError && error.cause instanceof RegistryError ? error.cause : error
}
