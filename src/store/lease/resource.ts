import type { Resource } from './types.ts'

/** A resource as one text: the form in which the live set of a collection names it. */
export function resourceKey(resource: Resource): string {
  return `${resource.kind} ${resource.id}`
}
