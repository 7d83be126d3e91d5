import { lineError } from './lines.ts'
import type { LogicalLine } from './lines.ts'
import { parseJsonForm } from './json-form.ts'
import type { JsonForm } from './json-form.ts'
import { sourceError } from './source.ts'
import type { DockerfileError, Source } from './source.ts'
import { didYouMean } from './suggest.ts'
import type { CommandForm } from './types.ts'
import { blankWords, cutInstruction } from './words.ts'
import type { CutInstruction } from './words.ts'

/** An instruction's line on its way to be a node. */
export interface Draft {
  readonly source: Source
  readonly line: LogicalLine
  readonly escape: '\\' | '`'
  readonly cut: CutInstruction
  /** Upper case, as it stands in messages. */
  readonly name: string
}

export function createDraft(source: Source, line: LogicalLine, escape: '\\' | '`'): Draft {
  const cut = cutInstruction(line.text)
  return { source, line, escape, cut, name: cut.keyword.toUpperCase() }
}

/** «dockerfile parse error on line N: …» about the whole instruction. */
export function draftError(draft: Draft, what: string): DockerfileError {
  return lineError(draft.source, draft.line, [0, Math.max(1, draft.line.text.length)], what)
}

/** Errors that Docker finds before it knows the instruction: «failed to parse Dockerfile: …». */
export function syntaxError(draft: Draft, what: string): DockerfileError {
  return sourceError(draft.source, draft.line.range, `failed to parse Dockerfile: ${what}`)
}

/** What every node has. */
export function nodeOf(draft: Draft) {
  const { line, cut } = draft
  return {
    range: line.range,
    keyword: cut.keyword,
    text: line.text,
    rest: cut.rest,
    flags: cut.flags.map((flag) => flag.text),
    comments: line.comments,
  }
}

/** The rest as an exec form, with Docker's error for arrays that hold more than strings. */
export function jsonOf(draft: Draft, rest = draft.cut.rest): Extract<JsonForm, { kind: 'strings' | 'none' }> {
  const form = parseJsonForm(rest)
  if (form.kind === 'mixed')
    throw syntaxError(draft, 'when using JSON array syntax, arrays must be comprised of strings only')
  return form
}

export function commandOf(draft: Draft, rest = draft.cut.rest): CommandForm {
  const form = jsonOf(draft, rest)
  return form.kind === 'strings' ? { form: 'exec', args: form.args } : { form: 'shell', line: rest }
}

/** A JSON array of strings, or words parted by blanks. */
export function wordsOf(draft: Draft): readonly string[] {
  const form = jsonOf(draft)
  return form.kind === 'strings' ? form.args : blankWords(draft.cut.rest)
}

export type FlagKind = 'text' | 'switch' | 'list'

export interface Flags {
  text(name: string): { readonly value: string } | undefined
  switch(name: string): boolean | undefined
  list(name: string): readonly string[]
}

/** Reads the flags that an instruction knows; throws for unknown, doubled and valueless ones in Docker's words. */
export function readFlags(draft: Draft, known: Readonly<Record<string, FlagKind>>): Flags {
  const found = new Map<string, string[]>()
  for (const flag of draft.cut.flags) {
    const fail = (what: string) => lineError(draft.source, draft.line, [flag.start, flag.end], what)
    const equals = flag.text.indexOf('=')
    const name = flag.text.slice(2, equals < 0 ? undefined : equals)
    const kind = Object.hasOwn(known, name) ? known[name] : undefined
    if (kind === undefined) throw fail(`unknown flag: --${name}${didYouMean(name, Object.keys(known))}`)
    const values = found.get(name) ?? []
    if (values.length > 0 && kind !== 'list') throw fail(`duplicate flag specified: --${name}`)
    const given = equals < 0 ? undefined : flag.text.slice(equals + 1)
    const value = kind === 'switch' ? switchValue(given) : given
    if (value === undefined || value === MISSING) throw fail(`missing a value on flag: --${name}`)
    if (value === BAD_SWITCH) throw fail(`expecting boolean value for flag --${name}, not: ${given ?? ''}`)
    values.push(value)
    found.set(name, values)
  }
  return flagsOf(found)
}

const MISSING = Symbol('missing')
const BAD_SWITCH = Symbol('bad')

function switchValue(given: string | undefined): 'true' | 'false' | typeof MISSING | typeof BAD_SWITCH {
  if (given === undefined) return 'true'
  if (given === '') return MISSING
  const lower = given.toLowerCase()
  return lower === 'true' || lower === 'false' ? lower : BAD_SWITCH
}

function flagsOf(found: ReadonlyMap<string, readonly string[]>): Flags {
  const first = (name: string): string | undefined => found.get(name)?.[0]
  return {
    text(name) {
      const value = first(name)
      return value === undefined ? undefined : { value }
    },
    switch(name) {
      const value = first(name)
      return value === undefined ? undefined : value === 'true'
    },
    list: (name) => found.get(name) ?? [],
  }
}
