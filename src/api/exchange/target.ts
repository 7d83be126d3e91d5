import { posix } from 'node:path'

/** What a request asks for. */
export interface Target {
  readonly path: string
  readonly version: string | undefined
  readonly search: string
  /** Where its path is to be asked for instead: with one slash where there are more, and without «.» and «..». */
  readonly elsewhere?: string
}

/** `/v1.43/containers/json?all=1`; both parts stay encoded. */
export function parseTarget(url: string): Target {
  const at = url.indexOf('?')
  const full = at < 0 ? url : url.slice(0, at)
  const [, version, path] = /^\/v([0-9.]+)(\/.*)$/.exec(full) ?? []
  const clean = cleanPath(full)
  return {
    path: path ?? full,
    version,
    search: at < 0 ? '' : url.slice(at + 1),
    ...(clean !== undefined && { elsewhere: `${clean}${at < 0 ? '' : url.slice(at)}` }),
  }
}

/** Undefined where it is so already, or is no path. A slash that is written as %2F belongs to a name. */
function cleanPath(path: string): string | undefined {
  if (!path.startsWith('/') || !/\/(?:[./]|%2e)/i.test(path)) return undefined
  const dotted = path.replaceAll(/%2e/gi, '.')
  const clean = posix.normalize(dotted)
  if (clean === dotted) return undefined
  const parts = clean.split('/').map(decode)
  return parts.every((part) => part !== undefined) ? parts.map(encodePart).join('/') : undefined
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

/** As Docker writes it in `Location`. */
function encodePart(part: string): string {
  return encodeURIComponent(part)
    .replaceAll(/%(?:24|26|2B|2C|3A|3B|3D|40)/g, decodeURIComponent)
    .replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}
