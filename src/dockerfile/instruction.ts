import { parseAdd, parseCopy, parseRun } from './instruction-files.ts'
import { parseHealthcheck } from './instruction-health.ts'
import { draftError, commandOf, jsonOf, nodeOf, readFlags, syntaxError, wordsOf } from './draft.ts'
import type { Draft } from './draft.ts'
import { lineError } from './lines.ts'
import { didYouMean } from './suggest.ts'
import type {
  ArgInstruction,
  CommandInstruction,
  FromInstruction,
  Instruction,
  ListInstruction,
  OnbuildInstruction,
  Pair,
  PairsInstruction,
  TextInstruction,
} from './types.ts'
import { blankWords, cutInstruction, quotedWords } from './words.ts'

type Parser = (draft: Draft) => Instruction | FromInstruction

const PARSERS: Readonly<Record<string, Parser>> = {
  add: parseAdd,
  arg: parseArg,
  cmd: (draft) => parseCommand(draft, 'cmd'),
  copy: parseCopy,
  entrypoint: (draft) => parseCommand(draft, 'entrypoint'),
  env: (draft) => parsePairs(draft, 'env'),
  expose: (draft) => parseList(draft, 'expose', blankWords(draft.cut.rest)),
  from: parseFrom,
  healthcheck: parseHealthcheck,
  label: (draft) => parsePairs(draft, 'label'),
  maintainer: (draft) => parseText(draft, 'maintainer'),
  onbuild: parseOnbuild,
  run: parseRun,
  shell: parseShell,
  stopsignal: (draft) => parseText(draft, 'stopsignal'),
  user: (draft) => parseText(draft, 'user'),
  volume: parseVolume,
  workdir: (draft) => parseText(draft, 'workdir'),
}

/** One instruction, its own grammar checked; throws `DockerfileError` in the words of Docker's parser. */
export function parseInstruction(draft: Draft): Instruction | FromInstruction {
  const { keyword } = draft.cut
  const key = keyword.toLowerCase()
  const parser = Object.hasOwn(PARSERS, key) ? PARSERS[key] : undefined
  if (parser !== undefined) return parser(draft)
  const names = Object.keys(PARSERS).map((name) => (keyword === key ? name : name.toUpperCase()))
  const span = [draft.line.text.length - draft.line.text.trimStart().length, 0] as const
  const what = `unknown instruction: ${keyword}${didYouMean(keyword, names)}`
  throw lineError(draft.source, draft.line, [span[0], span[0] + Math.max(1, keyword.length)], what)
}

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/

function parseFrom(draft: Draft): FromInstruction {
  const flags = readFlags(draft, { platform: 'text' })
  const words = blankWords(draft.cut.rest)
  const [image = '', as = 'as', alias] = words
  if ((words.length !== 1 && words.length !== 3) || as.toLowerCase() !== 'as')
    throw draftError(draft, 'FROM requires either one or three arguments')
  const platform = flags.text('platform')?.value
  const named = alias === undefined ? {} : { alias: alias.toLowerCase(), aliasAsWritten: alias }
  if (named.alias !== undefined && !STAGE_NAME.test(named.alias))
    throw draftError(
      draft,
      `invalid name for build stage: ${JSON.stringify(alias)}, name can't start with a number or contain symbols`,
    )
  return { kind: 'from', ...nodeOf(draft), image, ...named, ...(platform ? { platform } : {}) }
}

function parseArg(draft: Draft): ArgInstruction {
  readFlags(draft, {})
  const words = quotedWords(draft.cut.rest, draft.escape)
  if (words.length === 0) throw draftError(draft, 'ARG requires at least one argument')
  const args = words.map((word) => {
    const equals = word.indexOf('=')
    if (equals === 0) throw draftError(draft, 'ARG names can not be blank')
    return equals < 0 ? { name: word } : { name: word.slice(0, equals), value: word.slice(equals + 1) }
  })
  return { kind: 'arg', ...nodeOf(draft), args }
}

function parsePairs(draft: Draft, kind: 'env' | 'label'): PairsInstruction {
  const [first, ...others] = quotedWords(draft.cut.rest, draft.escape)
  if (first === undefined) {
    readFlags(draft, {})
    throw draftError(draft, `${draft.name} requires at least one argument`)
  }
  const legacy = !first.includes('=')
  const pairs = legacy ? [legacyPair(draft)] : [first, ...others].map((word) => pairOf(draft, word))
  readFlags(draft, {})
  if (pairs.some((pair) => pair.key === '')) throw draftError(draft, `${draft.name} names can not be blank`)
  return { kind, ...nodeOf(draft), pairs, legacy }
}

/** `ENV key some value`: the rest of the line is one value. */
function legacyPair(draft: Draft): Pair {
  const [, key = '', value] = /^([^\t\v\f\r ]+)(?:[\t\v\f\r ]+(.*))?$/s.exec(draft.cut.rest) ?? []
  if (value === undefined) throw syntaxError(draft, `${draft.name} must have two arguments`)
  return { key, value }
}

function pairOf(draft: Draft, word: string): Pair {
  const equals = word.indexOf('=')
  if (equals < 0)
    throw syntaxError(draft, `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`)
  return { key: word.slice(0, equals), value: word.slice(equals + 1) }
}

function parseCommand(draft: Draft, kind: 'cmd' | 'entrypoint'): CommandInstruction {
  const command = commandOf(draft)
  readFlags(draft, {})
  return { kind, ...nodeOf(draft), command }
}

function parseText(draft: Draft, kind: TextInstruction['kind']): TextInstruction {
  readFlags(draft, {})
  if (draft.cut.rest === '') throw draftError(draft, `${draft.name} requires exactly one argument`)
  return { kind, ...nodeOf(draft), value: draft.cut.rest }
}

function parseList(draft: Draft, kind: ListInstruction['kind'], values: readonly string[]): ListInstruction {
  readFlags(draft, {})
  if (values.length === 0) throw draftError(draft, `${draft.name} requires at least one argument`)
  return { kind, ...nodeOf(draft), values }
}

function parseVolume(draft: Draft): ListInstruction {
  const list = parseList(draft, 'volume', wordsOf(draft))
  const values = list.values.map((value) => value.trim())
  if (values.includes('')) throw draftError(draft, 'VOLUME specified can not be an empty string')
  return { ...list, values }
}

function parseShell(draft: Draft): ListInstruction {
  const form = jsonOf(draft)
  if (form.kind === 'none' && draft.cut.rest !== '') {
    readFlags(draft, {})
    throw draftError(draft, 'SHELL requires the arguments to be in JSON form')
  }
  return parseList(draft, 'shell', form.kind === 'strings' ? form.args : [])
}

const NO_TRIGGER = new Set(['FROM', 'MAINTAINER'])

function parseOnbuild(draft: Draft): OnbuildInstruction {
  readFlags(draft, {})
  const trigger = draft.cut.rest
  const name = cutInstruction(trigger).keyword.toUpperCase()
  if (name === '') throw draftError(draft, 'ONBUILD requires at least one argument')
  if (name === 'ONBUILD') throw draftError(draft, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  if (NO_TRIGGER.has(name)) throw draftError(draft, `${name} isn't allowed as an ONBUILD trigger`)
  const bodies = draft.line.heredocs.map((heredoc) => `\n${heredoc.text}${heredoc.name}`)
  return { kind: 'onbuild', ...nodeOf(draft), trigger: trigger + bodies.join('') }
}
