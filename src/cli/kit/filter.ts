import { formatFilters } from '#wire'
import { CommandLineError } from './error.ts'

/** `--filter name=value` flags as the API wants them: JSON of name → values; undefined where there are none. */
export function parseFilterFlags(flags: readonly string[]): string | undefined {
  const filters: Record<string, string[]> = {}
  for (const text of flags) {
    const at = text.indexOf('=')
    if (at <= 0)
      throw new CommandLineError(
        `invalid argument "${text}" for "-f, --filter" flag: bad format of filter (expected name=value)`,
        { exit: 125 },
      )
    const name = text.slice(0, at).trim().toLowerCase()
    filters[name] = [...(filters[name] ?? []), text.slice(at + 1).trim()]
  }
  return formatFilters(filters)
}
