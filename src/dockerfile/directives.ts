import { parseError, withoutLineEnd } from './source.ts'
import type { Source } from './source.ts'
import type { Directives } from './types.ts'

const DIRECTIVE = /^#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.*)$/
const KNOWN = new Set(['syntax', 'escape', 'check'])

/**
 * Reads the directives at the top (Dockerfile reference, «Parser directives»): they end at the first line that is
 * not one; an unknown one is a comment and ends them too. A known one given twice is an error.
 */
export function parseDirectives(source: Source): Directives {
  const found = new Map<string, string>()
  for (const [index, raw] of source.lines.entries()) {
    const line = withoutLineEnd(raw).trim()
    const [, written = '', value = ''] = DIRECTIVE.exec(line) ?? []
    const name = written.toLowerCase()
    if (!KNOWN.has(name)) break
    const range = lineRange(source, index)
    if (found.has(name)) throw parseError(source, range, `only one ${name} parser directive can be used`)
    if (name === 'escape' && value !== '\\' && value !== '`')
      throw parseError(source, range, `invalid escape token '${value}' does not match ${'`'} or \\`)
    found.set(name, value.trim())
  }
  return {
    ...optional('syntax', found.get('syntax')),
    escape: escapeOf(found),
    ...optional('check', found.get('check')),
  }
}

function escapeOf(found: ReadonlyMap<string, string>): '\\' | '`' {
  return found.get('escape') === '`' ? '`' : '\\'
}

function optional<Key extends string>(key: Key, value: string | undefined): { [Name in Key]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [Name in Key]?: string })
}

function lineRange(source: Source, index: number) {
  const text = withoutLineEnd(source.lines[index] ?? '')
  return {
    file: source.file,
    start: { line: index + 1, column: 1 },
    end: { line: index + 1, column: text.length + 1 },
  }
}
