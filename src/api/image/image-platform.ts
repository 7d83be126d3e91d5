import { EngineError, invalid } from '#base'
import type { ImageDetails } from '#engine'
import { formatPlatform, type Platform } from '#oci'

/** The `platform` parameter of inspect and history: JSON with os and architecture. Throws `invalid` in Docker's words. */
export function parsePlatformParameter(text: string | undefined): Platform | undefined {
  if (text === undefined) return undefined
  const { os, architecture, variant } = parseObject(text)
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '' || architecture === '')
    throw invalid('both OS and Architecture must be provided')
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
}

/** Throws `not-found`, in Docker's words, where the image is for another platform than the one asked for. */
export function requirePlatform(name: string, { image }: ImageDetails, wanted: Platform | undefined): void {
  if (wanted === undefined) return
  const { os, architecture, variant } = image.config
  const isSame = os === wanted.os && architecture === wanted.architecture
  if (isSame && (wanted.variant === undefined || wanted.variant === variant)) return
  const has = formatPlatform({ os, architecture, ...(variant !== undefined && { variant }) })
  throw new EngineError(
    'not-found',
    `image with reference ${name} was found but its platform (${has}) does not match the specified platform (${formatPlatform(wanted)})`,
  )
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const [first = ''] = text.trim()
    throw invalid(`failed to parse platform: invalid character '${first}' looking for beginning of value`, {
      cause: error,
    })
  }
  throw invalid('failed to parse platform: it is no JSON object')
}
