import { EngineError } from '#base'
import type { Client } from '#client'
import type { Command } from '#cli/kit'
import { aliases, commands, type Entry, type Group, groups } from './table.ts'

/** What a shell is told besides the words (cobra's protocol, which docker's clients speak): 4 means no names of files. */
const NO_FILES = 4
/** The same, and no space behind the word: it goes on. */
const OPEN = 6
const FILES = 0

type Environment = Readonly<Record<string, string | undefined>>

interface Asking {
  readonly client: Client
  readonly env: Environment
}

interface Found {
  readonly words: readonly (readonly [word: string, help: string])[]
  readonly directive: typeof NO_FILES | typeof OPEN | typeof FILES
}

/** Answers `__complete`: one word a line with its help behind a tab, then `:` and the directive. The last word is unfinished. */
export async function completeWords(
  words: readonly string[],
  { client, help, env }: { readonly client: Client; readonly help: boolean; readonly env: Environment },
): Promise<string> {
  const prefix = words.at(-1) ?? ''
  const found = await find(words.slice(0, -1), prefix, { client, env })
  const lines = found.words
    .filter(([word]) => word.startsWith(prefix))
    .map(([word, text]) => (help && text !== '' ? `${word}\t${text}\n` : `${word}\n`))
  return `${lines.join('')}:${found.directive}\n`
}

async function find([first, ...rest]: readonly string[], prefix: string, asking: Asking): Promise<Found> {
  if (first === undefined) return { words: topWords(), directive: NO_FILES }
  const group = own(groups, first)
  if (group !== undefined && rest[0] === undefined) return { words: entriesOf(group), directive: NO_FILES }
  const name = group === undefined ? first : (rest[0] ?? '')
  const entry =
    group === undefined ? commandOf(first) : (own(group.entries, name) ?? own(group.entries, own(aliases, name) ?? ''))
  if (entry === undefined) return first === 'completion' && rest.length === 0 ? SHELLS : NOTHING
  const typed = group === undefined ? rest : rest.slice(1)
  return await within(await entry.load(), { name, typed, prefix }, asking)
}

interface Typed {
  /** Of the command. */
  readonly name: string
  /** What stands behind it, but the last word. */
  readonly typed: readonly string[]
  readonly prefix: string
}

async function within(command: Command, { name, typed, prefix }: Typed, asking: Asking): Promise<Found> {
  const flag = awaiting(command, typed.at(-1))
  if (flag !== undefined) return await valuesFor(flag, asking)
  if (prefix.startsWith('-')) return { words: flagsOf(command), directive: NO_FILES }
  // behind the first word stands the command of the container
  const isOver = /^(\[OPTIONS\] )?(CONTAINER|IMAGE) (COMMAND|\[COMMAND\]|\[ps )/.test(command.usage)
  if (isOver && wordsOf(command, typed) > 0) return NOTHING
  return await namesFor(command, asking.client, name)
}

/** As `completion-scripts.ts` has them. */
const SHELLS: Found = { words: ['bash', 'fish', 'zsh'].map((shell) => [shell, '']), directive: NO_FILES }
const NOTHING: Found = { words: [], directive: FILES }

function commandOf(name: string): Entry | undefined {
  return commands.map(({ entries }) => own(entries, name)).find((entry) => entry !== undefined)
}

function topWords(): Found['words'] {
  const all = [
    ...commands.flatMap((group) => entriesOf(group)),
    ...Object.entries(groups).map(([name, { title }]) => [name, title] as const),
  ]
  return all.toSorted(([one], [other]) => (one < other ? -1 : 1))
}

function entriesOf({ entries }: Group): Found['words'] {
  return Object.entries(entries).map(([name, { summary }]) => [name, summary] as const)
}

function flagsOf({ flags }: Command): Found['words'] {
  return Object.entries(flags).map(([name, { help }]) => [`--${name}`, help] as const)
}

/** The flag that the word before leaves without its value. */
function awaiting({ flags }: Command, word = ''): string | undefined {
  const [, long, short] = /^(?:--([a-z0-9-]+)|-[A-Za-z]*([A-Za-z]))$/.exec(word) ?? []
  const found = Object.entries(flags).find(
    ([name, spec]) => name === long || (short !== undefined && spec.short === short),
  )
  return found === undefined || found[1].kind === 'switch' ? undefined : found[0]
}

async function valuesFor(flag: string, { client, env }: Asking): Promise<Found> {
  const { flagValues } = await import('./complete-values.ts')
  const values = own(flagValues, flag)
  if (values === undefined) return NOTHING
  const { words = [], names, tail = '' } = values
  const found = names === undefined ? words : names === 'variables' ? Object.keys(env) : await asked(names, client)
  return { words: found.map((word) => [`${word}${tail}`, ''] as const), directive: tail === '' ? NO_FILES : OPEN }
}

/** A shell that completes shows no errors. */
async function asked(names: 'containers' | 'networks', client: Client): Promise<readonly string[]> {
  try {
    return await (names === 'containers' ? containers(client) : networks(client))
  } catch (error) {
    if (error instanceof EngineError) return []
    throw error
  }
}

/** How many words were typed that are no flags, nor their values. */
function wordsOf(command: Command, words: readonly string[]): number {
  return words.filter((word, at) => !word.startsWith('-') && awaiting(command, words[at - 1]) === undefined).length
}

/** Commands that are for some containers only. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  attach: ['running'],
  exec: ['running'],
  kill: ['running'],
  pause: ['running'],
  start: ['created', 'exited'],
  stop: ['running'],
  top: ['running'],
  unpause: ['paused'],
}

type NamesOf = (client: Client, command?: string) => Promise<readonly string[]>

/** What the word of a command's usage stands for. */
const NAMES: readonly (readonly [usage: RegExp, names: NamesOf])[] = [
  [/\bCONTAINER\b/, containers],
  [/\b(?:SOURCE_)?IMAGE\b/, images],
  [/\bVOLUME\b/, volumes],
  [/\bNETWORK\b/, networks],
]

async function namesFor({ usage }: Command, client: Client, name: string): Promise<Found> {
  const wanted = NAMES.filter(([pattern]) => pattern.test(usage))
  if (wanted.length === 0) return NOTHING
  try {
    const names = await Promise.all(wanted.map(([, namesOf]) => namesOf(client, name)))
    return { words: names.flat().map((name) => [name, ''] as const), directive: NO_FILES }
  } catch (error) {
    // a shell that completes shows no errors
    if (error instanceof EngineError) return { words: [], directive: NO_FILES }
    throw error
  }
}

async function containers(client: Client, command = ''): Promise<readonly string[]> {
  const states = own(STATES, command)
  const all = await client.get<readonly { readonly Names: readonly string[]; readonly State: string }[]>(
    '/containers/json',
    { query: { all: true } },
  )
  const found = all.filter(({ State }) => states === undefined || states.includes(State))
  return found.flatMap(({ Names }) => Names.slice(0, 1).map((name) => name.replace(/^\//, '')))
}

async function images(client: Client): Promise<readonly string[]> {
  const found = await client.get<readonly { readonly RepoTags: readonly string[] | null }[]>('/images/json')
  return found.flatMap(({ RepoTags }) => RepoTags ?? [])
}

async function volumes(client: Client): Promise<readonly string[]> {
  const found = await client.get<{ readonly Volumes: readonly { readonly Name: string }[] | null }>('/volumes')
  return (found.Volumes ?? []).map(({ Name }) => Name)
}

async function networks(client: Client): Promise<readonly string[]> {
  const found = await client.get<readonly { readonly Name: string }[]>('/networks')
  return found.map(({ Name }) => Name)
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
