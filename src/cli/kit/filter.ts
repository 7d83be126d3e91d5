import { formatFilters } from '#wire'
import { badArgument } from './fields.ts'

/** `--filter name=value` flags as the API wants them: JSON of name → values; undefined where there are none. */
export function parseFilterFlags(flags: readonly string[], name = '-f, --filter'): string | undefined {
  const filters: Record<string, string[]> = {}
  for (const text of flags) {
    const at = text.indexOf('=')
    if (at < 0) throw badArgument(text, name, 'bad format of filter (expected name=value)')
    const key = text.slice(0, at).trim().toLowerCase()
    filters[key] = [...(filters[key] ?? []), text.slice(at + 1).trim()]
  }
  return formatFilters(filters)
}
