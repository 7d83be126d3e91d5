import { collect, corrupt, isKind } from '#base'
import { configDigest, parseImageConfig, type ImageConfig, type ImageId } from '#oci'
import type { ContentStore } from '#store/content'

/** A config larger than this is refused: real ones are kilobytes. */
const MAX_CONFIG = 16 << 20

/** Configs kept parsed: a list of all images reads each file once. Configs never change. */
const KEPT = 1000
const LARGEST_KEPT = 64 << 10

interface ParsedConfig {
  readonly config: ImageConfig
  readonly configBytes: Uint8Array
}

export interface ConfigCache {
  read(id: ImageId): Promise<ParsedConfig>
  /** Of bytes at hand, whose digest is the id. */
  parse(id: ImageId, configBytes: Uint8Array): ParsedConfig
  forget(id: ImageId): void
}

export function createConfigCache(content: Pick<ContentStore, 'read'>): ConfigCache {
  const kept = new Map<ImageId, ParsedConfig>()
  const parse: ConfigCache['parse'] = (id, configBytes) => {
    const known = kept.get(id)
    if (known) return known
    const parsed = { config: parseImageConfig(configBytes), configBytes }
    const oldest = kept.size >= KEPT ? kept.keys().next().value : undefined
    if (oldest !== undefined) kept.delete(oldest)
    if (configBytes.length <= LARGEST_KEPT) kept.set(id, parsed)
    return parsed
  }
  return {
    parse,
    read: async (id) => kept.get(id) ?? parse(id, await readConfig(content, id)),
    forget: (id) => void kept.delete(id),
  }
}

/** An image whose config a start found missing has a record, but its blob has none. */
async function readConfig(content: Pick<ContentStore, 'read'>, id: ImageId): Promise<Uint8Array> {
  try {
    return await collect(content.read(configDigest(id)), MAX_CONFIG)
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
    throw corrupt(`cannot read image ${id}: its config is missing: mica system check --repair heals it`, {
      cause: error,
    })
  }
}
