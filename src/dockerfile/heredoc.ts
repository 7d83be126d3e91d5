import { parseJsonForm } from './json-form.ts'
import { expand, ExpansionError } from './lexer.ts'
import { cutInstruction } from './words.ts'
import type { Heredoc } from './types.ts'

/** A heredoc's beginning in the line of its instruction. */
export type HeredocMark = Omit<Heredoc, 'text'>

const MARK = /^(\d*)<<(-?)([^<]*)$/
const WITH_HEREDOCS = new Set(['run', 'copy', 'add'])

/** The heredocs that an instruction's line begins, in order; none where the instruction takes none. */
export function heredocMarks(line: string): readonly HeredocMark[] {
  if (!line.includes('<<')) return []
  let { keyword, rest } = cutInstruction(line)
  if (keyword.toLowerCase() === 'onbuild') ({ keyword, rest } = cutInstruction(rest))
  if (!WITH_HEREDOCS.has(keyword.toLowerCase()) || parseJsonForm(rest).kind === 'strings') return []
  return rawWords(line).flatMap((word) => parseHeredocMark(word) ?? [])
}

/** `<<EOF`, `<<-EOF`, `3<<"EOF"`; undefined for any other word. */
export function parseHeredocMark(word: string): HeredocMark | undefined {
  const [whole, descriptor = '', dash = '', written = ''] = MARK.exec(word) ?? []
  if (whole === undefined || written === '') return undefined
  const [name, ...others] = plainWords(written)
  const [raw] = rawWords(written)
  if (name === undefined || others.length > 0) return undefined
  const marked = { name, stripTabs: dash === '-', expand: name === raw }
  return descriptor === '' ? marked : { ...marked, descriptor: Number(descriptor) }
}

/** A heredoc's text without the leading tabs of its lines, where `<<-` asks for it. */
export function heredocBody(heredoc: Heredoc): string {
  return heredoc.stripTabs ? heredoc.text.replace(/^\t+/gm, '') : heredoc.text
}

function rawWords(text: string): readonly string[] {
  return wordsOf(text, { rawQuotes: true, rawEscapes: true, keepUnset: true })
}

function plainWords(text: string): readonly string[] {
  return wordsOf(text, { keepUnset: true })
}

/** A line that cannot be lexed (an open quote, say) begins no heredoc; the shell will say what it thinks of it. */
function wordsOf(text: string, options: Parameters<typeof expand>[2]): readonly string[] {
  try {
    return expand(text, () => undefined, options).words
  } catch (error) {
    if (error instanceof ExpansionError) return []
    throw error
  }
}
