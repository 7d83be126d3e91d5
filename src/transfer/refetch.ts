import { EngineError, isKind, messageOf } from '#base'
import { canonicalReference, isIndexType, isManifestType, repositoryOf, type Descriptor, type Reference } from '#oci'
import type { Registry } from '#registry'
import { SILENT, type TransferContext } from './context.ts'
import type { RefetchOptions } from './types.ts'

/** One blob by its digest, from the first repository that has it. */
export async function refetch(context: TransferContext, blob: Descriptor, options: RefetchOptions): Promise<string> {
  const failures: string[] = []
  for (const name of repositories(options.names)) {
    for (const registry of context.registryFor(name, options.credentialsFor?.(name.domain))) {
      try {
        await fetchFrom(context, registry, { blob, name, options })
        return `${registry.address}/${name.path}`
      } catch (error) {
        if (!(error instanceof EngineError) || isKind(error, 'cancelled')) throw error
        failures.push(messageOf(error))
      }
    }
  }
  const why = failures.at(-1) ?? 'no repository is known that has it'
  throw new EngineError('not-found', `cannot fetch ${blob.digest} again: ${why}`)
}

function repositories(names: readonly Reference[]): readonly Reference[] {
  return [...new Map(names.map((name) => [canonicalReference(repositoryOf(name)), repositoryOf(name)])).values()]
}

async function fetchFrom(
  { content, downloads }: TransferContext,
  registry: Registry,
  { blob, name, options }: { readonly blob: Descriptor; readonly name: Reference; readonly options: RefetchOptions },
): Promise<void> {
  const { lease, signal } = options
  if (isManifestType(blob.mediaType) || isIndexType(blob.mediaType)) {
    await content.put(await registry.manifest(name.path, blob, signal), lease)
    return
  }
  await downloads.fetch(blob, {
    source: (wanted, from, downloadSignal) => registry.blob(name.path, wanted, from, downloadSignal),
    lease,
    progress: SILENT,
    signal,
  })
}
