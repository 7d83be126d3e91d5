import { availableParallelism } from 'node:os'
import { createLimiter, type Limiter } from '#base'
import { familiarName, familiarReference, type ImageConfig, type Reference } from '#oci'
import { createDownloads, type Downloads } from './download.ts'
import type { ProgressSink, TransferLimits, TransferParts } from './types.ts'

/** Docker's own limits: three layers in, five out, five attempts. */
const LIMITS: TransferLimits = { downloads: 3, uploads: 5, attempts: 5, delay: 1000 }

/** What the files of this room share. */
export interface TransferContext extends TransferParts {
  readonly limits: TransferLimits
  readonly downloads: Downloads
  readonly uploads: Limiter
  /** Layers that are packed at the same time, over all pushes. */
  readonly packing: Limiter
  readonly followers: Followers
}

/** Those who unpack bytes while they come: a few, for each takes a thread until its last byte is there. */
export interface Followers {
  /** Undefined, and nothing done, where there are enough. */
  tryRun<T>(work: () => Promise<T>): Promise<T | undefined>
}

const MAX_FOLLOWERS = 2

function createFollowers(): Followers {
  let running = 0
  return {
    async tryRun(work) {
      if (running >= MAX_FOLLOWERS) return undefined
      running += 1
      try {
        return await work()
      } finally {
        running -= 1
      }
    },
  }
}

export function createContext(parts: TransferParts): TransferContext {
  const limits = parts.limits ?? LIMITS
  const { content, leases, clock } = parts
  const downloads = createDownloads({ content, leases, clock, limits })
  return {
    ...parts,
    limits,
    downloads,
    uploads: createLimiter(limits.uploads),
    packing: createLimiter(availableParallelism()),
    followers: createFollowers(),
  }
}

/** Nobody listens. */
export const SILENT: ProgressSink = () => undefined

/** An image event whose actor is a name, as Docker has it for pull and push. */
export function emitNamed(
  { events }: Pick<TransferParts, 'events'>,
  action: 'pull' | 'push',
  name: Reference,
  config: ImageConfig,
): void {
  const attributes = { ...config.config.Labels, name: familiarName(name) }
  events.emit({ type: 'image', action, actor: { id: familiarReference(name), attributes } })
}

/** An image event whose actor is an image's id. */
export function emitId(
  { events }: Pick<TransferParts, 'events'>,
  action: 'save' | 'load' | 'import',
  id: string,
  labels: Readonly<Record<string, string>> = {},
): void {
  events.emit({ type: 'image', action, actor: { id, attributes: { ...labels, name: id } } })
}
