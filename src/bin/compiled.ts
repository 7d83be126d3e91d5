import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

/**
 * What is imported from now on in this thread is compiled once, not at each start; where the bundle's folder cannot be written,
 * at each start.
 */
export function keepCompiled(): void {
  if (import.meta.url.endsWith('.js')) enableCompileCache(join(import.meta.dirname, '.compiled'))
}
