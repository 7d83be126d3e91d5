import { EngineError, isKind } from '#base'
import { RegistryError, type Registry } from '#registry'

/**
 * The outcome of the first registry that fulfils the work: mirrors may lack an image, lie, or be down. Of the
 * failures the last one is told, unless nobody answered there and an earlier one gave a definite answer.
 */
export async function firstThatFulfils<T>(
  registries: readonly Registry[],
  work: (registry: Registry) => Promise<T>,
): Promise<T> {
  const failures: EngineError[] = []
  for (const registry of registries) {
    try {
      return await work(registry)
    } catch (error) {
      if (!(error instanceof EngineError) || isKind(error, 'cancelled')) throw error
      failures.push(error)
    }
  }
  const last = failures.at(-1)
  const definite = failures.findLast((error) => isKind(error, 'not-found'))
  throw isUnreachable(last) && definite ? definite : last
}

function isUnreachable(error: EngineError | undefined): boolean {
  return error instanceof RegistryError && error.status === 0
}
