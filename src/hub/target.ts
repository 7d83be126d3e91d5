import { isDigest, parseDigest, type Digest } from '#oci'
import { HubFault } from './fault.ts'

/** What a path of the API means (distribution-spec, «Endpoints»). */
export type Target =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: Digest }
  /** The reference is as it came: a tag, a digest, or neither. */
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const MAX_NAME = 255
const TAG = /^\w[\w.-]{0,127}$/

/** Undefined for a path of nothing. Throws `HubFault` for a name or digest that cannot be. `path` is as sent, encoded. */
export function parseTarget(path: string): Target | undefined {
  if (path === '/v2' || path === '/v2/') return { kind: 'base' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  for (const { pattern, make } of PATTERNS) {
    const [, name, rest = ''] = pattern.exec(path) ?? []
    if (name !== undefined) return make(parseName(name), decode(rest))
  }
  return undefined
}

/** In this order: a repository may be named «uploads». */
const PATTERNS: readonly {
  readonly pattern: RegExp
  readonly make: (repository: string, rest: string) => Target
}[] = [
  { pattern: /^\/v2\/(.+)\/tags\/list$/, make: (repository) => ({ kind: 'tags', repository }) },
  { pattern: /^\/v2\/(.+)\/blobs\/uploads\/?$/, make: (repository) => ({ kind: 'uploads', repository }) },
  { pattern: /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/, make: (repository, id) => ({ kind: 'upload', repository, id }) },
  {
    pattern: /^\/v2\/(.+)\/blobs\/([^/]+)$/,
    make: (repository, text) => ({ kind: 'blob', repository, digest: parseBlobDigest(text) }),
  },
  {
    pattern: /^\/v2\/(.+)\/manifests\/([^/]+)$/,
    make: (repository, reference) => ({ kind: 'manifest', repository, reference }),
  },
  {
    pattern: /^\/v2\/(.+)\/referrers\/([^/]+)$/,
    make: (repository, text) => ({ kind: 'referrers', repository, digest: parseBlobDigest(text) }),
  },
]

export function parseName(text: string): string {
  if (text.length <= MAX_NAME && NAME.test(text)) return text
  throw new HubFault('NAME_INVALID', 'invalid repository name', { detail: { name: text.slice(0, MAX_NAME) } })
}

/** Of the algorithms sha256 alone is kept. */
export function parseBlobDigest(text: string): Digest {
  if (isDigest(text)) return parseDigest(text)
  const why = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:/.test(text) && !text.startsWith('sha256:')
  throw new HubFault('DIGEST_INVALID', why ? 'unsupported digest algorithm: sha256 is kept' : 'invalid digest', {
    detail: { digest: text.slice(0, 200) },
  })
}

export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** What is no well-formed percent-encoding is no tag, digest or upload either. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return ''
    throw error
  }
}
