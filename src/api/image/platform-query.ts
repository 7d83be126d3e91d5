import { invalid } from '#base'
import type { Platform } from '#oci'

/** A platform as clients of newer versions send it in a query: JSON. Throws `invalid` in Docker's words. */
export function parsePlatformText(text: string): Platform {
  const value = parse(text)
  const member = (name: string): string => {
    const found: unknown = value === null || typeof value !== 'object' ? undefined : Reflect.get(value, name)
    return typeof found === 'string' ? found : ''
  }
  const [os, architecture, variant] = [member('os'), member('architecture'), member('variant')]
  if (os === '' || architecture === '') throw invalid('both OS and Architecture must be provided')
  return { os, architecture, ...(variant !== '' && { variant }) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw invalid(`failed to parse platform: ${error.message}`, { cause: error })
  }
}
